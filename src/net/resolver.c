/*
 * The happy path of a name that is not known yet:
 *
 *     resolver_lookup -> on_turn: ask -> (dns) -> on_answer -> on_turn: deliver -> the caller's on_done
 *
 * Each name has one record, which is in one of four lists: queued, asked, due or kept. A caller joins the
 * record of its name wherever that is; a fresh kept one is due at once. Everything is moved on by on_turn, an
 * idle handle that runs only when there is something to do. So no caller's code runs inside resolver_lookup,
 * and neither that code nor a new query runs inside an answer.
 *
 * What can go wrong: the name servers say no or nothing (a short text, kept for a second); the callers lose
 * patience (a queued name that nobody wants any more is not asked for, an asked one is kept for later);
 * resolv.conf changes under running queries (they come back aborted and are queued again); the resolver is
 * closed under queries without callers (likewise, and nobody is told).
 */
#include "net/resolver.h"

#include "base/container.h"
#include "net/dns.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* A fleet of 10,000 fits; beyond it the names used the longest ago are forgotten. */
#define NAMES_MAX 16384

/* A name makes two packets: so many fit into a socket's buffer on either side. */
#define ASKED_MAX 100

/* An answer that holds for no time would be asked for by every scrape of the same second. */
#define TTL_MIN_MS 1000

enum phase { PHASE_QUEUED, PHASE_ASKED, PHASE_DUE, PHASE_KEPT, PHASE_COUNT };

/* All about one name. */
struct record {
    struct resolver *resolver;
    struct link link; /* in the list of its phase */
    enum phase phase;
    struct list waiting; /* look-ups */
    struct dns_query query;
    uint64_t expires_ms;       /* on the loop's clock */
    union endpoint *endpoints; /* owned; NULL after a failure */
    size_t count;
    const char *error; /* a constant */
    char name[];
};

struct resolver {
    uv_loop_t *loop;
    struct dns *dns; /* owned */
    uv_idle_t turn;
    unsigned open; /* of the two: dns, turn */
    void *names;   /* tsearch: the `name` of each record */
    size_t name_count;
    struct list records[PHASE_COUNT];
    size_t asked;
    struct resolver_counts counts;
    bool closing;
    resolver_close_fn on_close;
    void *close_context;
};

static void on_turn(uv_idle_t *turn);

/* --- Records --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void move(struct record *record, enum phase phase)
{
    link_remove(&record->link);
    record->phase = phase;
    list_append(&record->resolver->records[phase], &record->link);
}

static void record_free(struct record *record)
{
    free(record->endpoints);
    free(record);
}

static void free_name(void *name)
{
    record_free(container_of(name, struct record, name));
}

/* Forgets the name that was used the longest ago. False when all are in use. */
static bool make_room(struct resolver *resolver)
{
    struct link *link = list_pop(&resolver->records[PHASE_KEPT]);
    if (!link) return false;
    struct record *record = container_of(link, struct record, link);
    tdelete(record->name, &resolver->names, compare_names);
    resolver->name_count--;
    record_free(record);
    return true;
}

/* "localhost" and "x.localhost", also as absolute names. */
static bool is_localhost(const char *name)
{
    struct slice text = slice_of(name), suffix = SLICE("localhost");
    if (text.len && text.data[text.len - 1] == '.') text.len--;
    if (text.len < suffix.len) return false;
    size_t before = text.len - suffix.len;
    return slice_equal(slice_from(text, before), suffix) && (before == 0 || text.data[before - 1] == '.');
}

/* A copy of the first endpoints; false without memory, and then the record is as it was. */
static bool set_endpoints(struct record *record, const union endpoint *endpoints, size_t count)
{
    if (count > RESOLVER_ADDRESSES_MAX) count = RESOLVER_ADDRESSES_MAX;
    union endpoint *copy = malloc(count * sizeof(*copy));
    if (!copy) return false;
    memcpy(copy, endpoints, count * sizeof(*copy));
    free(record->endpoints);
    record->endpoints = copy;
    record->count = count;
    record->error = NULL;
    return true;
}

static bool answer_localhost(struct record *record)
{
    union endpoint endpoints[2] = {0};
    endpoints[0].v4.sin_family = AF_INET;
    endpoints[0].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoints[1].v6.sin6_family = AF_INET6;
    endpoints[1].v6.sin6_addr = in6addr_loopback;
    record->expires_ms = UINT64_MAX;
    return set_endpoints(record, endpoints, 2);
}

static struct record *record_new(struct resolver *resolver, const char *name)
{
    if (resolver->name_count == NAMES_MAX && !make_room(resolver)) return NULL;
    struct record *record = calloc(1, sizeof(*record) + strlen(name) + 1);
    if (!record) return NULL;
    record->resolver = resolver;
    link_init(&record->link);
    list_init(&record->waiting);
    memcpy(record->name, name, strlen(name) + 1);
    if ((is_localhost(name) && !answer_localhost(record)) ||
        !tsearch(record->name, &resolver->names, compare_names)) {
        record_free(record);
        return NULL;
    }
    resolver->name_count++;
    move(record, PHASE_KEPT);
    return record;
}

static struct record *record_find(struct resolver *resolver, const char *name)
{
    char *const *found = tfind(name, &resolver->names, compare_names);
    return found ? container_of(*found, struct record, name) : NULL;
}

/* --- From a look-up to its answer --- */

int resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn on_done)
{
    assert(!resolver->closing && !link_is_linked(&lookup->link));
    struct record *record = record_find(resolver, name);
    if (!record) record = record_new(resolver, name);
    if (!record) return UV_ENOMEM;
    lookup->on_done = on_done;
    list_append(&record->waiting, &lookup->link);
    if (record->phase == PHASE_KEPT)
        move(record, uv_now(resolver->loop) < record->expires_ms ? PHASE_DUE : PHASE_QUEUED);
    uv_idle_start(&resolver->turn, on_turn);
    return 0;
}

static void on_answer(struct dns_query *query, const struct dns_answer *answer);

static void ask(struct record *record)
{
    struct resolver *resolver = record->resolver;
    move(record, PHASE_ASKED);
    resolver->asked++;
    resolver->counts.queries++;
    dns_ask(resolver->dns, &record->query, record->name, DNS_ADDRESSES, on_answer);
}

static void ask_queued(struct resolver *resolver)
{
    struct list *queued = &resolver->records[PHASE_QUEUED];
    if (!list_is_empty(queued)) dns_refresh(resolver->dns);
    while (!list_is_empty(queued) && resolver->asked < ASKED_MAX) {
        struct record *record = container_of(list_first(queued), struct record, link);
        if (list_is_empty(&record->waiting))
            move(record, PHASE_KEPT);
        else
            ask(record);
    }
}

static void set_error(struct record *record, const char *error)
{
    free(record->endpoints);
    record->endpoints = NULL;
    record->count = 0;
    record->error = error;
    record->resolver->counts.failures++;
}

static void on_answer(struct dns_query *query, const struct dns_answer *answer)
{
    struct record *record = container_of(query, struct record, query);
    struct resolver *resolver = record->resolver;
    resolver->asked--;
    if (answer->aborted) {
        move(record, PHASE_QUEUED);
    } else {
        if (answer->count == 0)
            set_error(record, answer->error);
        else if (!set_endpoints(record, answer->endpoints, answer->count))
            set_error(record, "out of memory");
        uint64_t ttl_ms = answer->ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : answer->ttl_ms;
        record->expires_ms = uv_now(resolver->loop) + ttl_ms;
        move(record, PHASE_DUE);
    }
    if (!resolver->closing) uv_idle_start(&resolver->turn, on_turn);
}

/* From a copy: the callbacks may let the record be forgotten. */
static void deliver(struct record *record)
{
    struct resolver *resolver = record->resolver;
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX];
    size_t count = record->count;
    const char *error = record->error;
    struct list waiting;
    if (count) memcpy(endpoints, record->endpoints, count * sizeof(endpoints[0]));
    list_init(&waiting);
    list_move(&waiting, &record->waiting);
    move(record, PHASE_KEPT);
    for (struct link *link; (link = list_pop(&waiting));) {
        struct lookup *lookup = container_of(link, struct lookup, link);
        resolver->counts.lookups++;
        lookup->on_done(lookup, endpoints, count, error);
    }
}

/* A name that becomes due by one of the callbacks waits for the next turn. */
static void on_turn(uv_idle_t *turn)
{
    struct resolver *resolver = turn->data;
    struct list due;
    uv_idle_stop(turn);
    ask_queued(resolver);
    list_init(&due);
    list_move(&due, &resolver->records[PHASE_DUE]);
    for (struct link *link; (link = list_pop(&due));) deliver(container_of(link, struct record, link));
}

void lookup_init(struct lookup *lookup)
{
    *lookup = (struct lookup){0};
    link_init(&lookup->link);
}

void lookup_cancel(struct lookup *lookup)
{
    link_remove(&lookup->link);
}

struct resolver_counts resolver_counts(const struct resolver *resolver)
{
    return resolver->counts;
}

/* --- Life --- */

int resolver_new(struct resolver **result, uv_loop_t *loop, const char *servers)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver) return UV_ENOMEM;
    int status = dns_new(&resolver->dns, loop, servers);
    if (status < 0) {
        free(resolver);
        return status;
    }
    resolver->loop = loop;
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) list_init(&resolver->records[phase]);
    uv_idle_init(loop, &resolver->turn);
    resolver->turn.data = resolver;
    resolver->open = 2;
    *result = resolver;
    return 0;
}

static bool is_waited_for(struct resolver *resolver)
{
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) {
        list_each (&resolver->records[phase], at, after) {
            if (!list_is_empty(&container_of(at, struct record, link)->waiting)) return true;
        }
    }
    return false;
}

static void on_part_closed(struct resolver *resolver)
{
    if (--resolver->open > 0) return;
    resolver_close_fn on_close = resolver->on_close;
    void *context = resolver->close_context;
    tdestroy(resolver->names, free_name);
    free(resolver);
    on_close(context);
}

static void on_dns_closed(void *context)
{
    on_part_closed(context);
}

static void on_turn_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

void resolver_close(struct resolver *resolver, resolver_close_fn on_close, void *context)
{
    if (!resolver) return;
    assert(!resolver->closing && !is_waited_for(resolver));
    resolver->closing = true;
    resolver->on_close = on_close;
    resolver->close_context = context;
    dns_close(resolver->dns, on_dns_closed, resolver);
    uv_close((uv_handle_t *) &resolver->turn, on_turn_closed);
}
