/*
 * The happy path of a name that is not cached:
 *
 *     resolver_lookup -> on_turn: ask -> (dns) -> on_answer -> on_turn: deliver -> the caller's on_done
 *
 * Each name has one record. Look-ups join the record of their name in any phase. on_turn is the callback of
 * an idle handle that is active only when there is work. on_turn sends the queries of queued records and
 * calls back the callers of answered records. So no caller's code runs inside resolver_lookup, and neither
 * that code nor a new query runs inside an answer.
 *
 * What can go wrong: the name servers report a failure (it is kept for a second) or do not answer
 * (on_place_over gives the place of the query to another name, and on_grace_over gives the callers the last
 * answer). The callers cancel (a queued name without callers is not asked for; the answer to a sent query is
 * kept). A look-up joins a query that has been under way for long (a second query is sent in parallel, since
 * the first may be lost and is repeated ever more rarely). resolv.conf changes during queries (dns aborts
 * them, and they are queued again). The resolver is closed during queries without callers (dns aborts them,
 * and nobody is called back).
 */
#include "net/resolver.h"

#include "base/container.h"
#include "net/delay_queue.h"
#include "net/dns.h"
#include "net/known_addresses.h"

#include <assert.h>
#include <search.h>
#include <stdlib.h>

/* Most names in the cache, enough for 10,000 servers. A new name then evicts the least recently used name. */
#define NAMES_MAX 16384

/*
 * Most queries under way. A query sends two packets, and the packets of this many queries fit into the socket
 * buffers of both sides. A server reads them well within PLACE_MS, so a query without an answer by then no
 * longer occupies a buffer.
 */
#define PLACES_MAX 100
#define PLACE_MS   25

/* Both are longer than the delay of the first repetition, which replaces a lost packet. */
#define GRACE_MS  400
#define REPEAT_MS 500

enum record_phase {
    PHASE_KEPT,     /* no query is queued or sent; the list is in order of use */
    PHASE_WANTED,   /* queued, since a look-up waits */
    PHASE_DOUBTFUL, /* queued behind PHASE_WANTED: no look-up waits, or the last query failed */
    PHASE_ASKED,
    PHASE_COUNT
};

/* One query to the name servers. */
struct inquiry {
    struct dns_query query;
    struct record *record;
};

/* State and cache entry of one name. */
struct record {
    struct resolver *resolver;
    struct link link; /* in the list of its phase; in no list while PHASE_KEPT and due */
    struct link due;  /* in the list of records whose callers will be called back */
    enum record_phase phase;
    bool failed;                 /* the last query failed */
    bool refresh;                /* the name will be asked for even if no look-up waits */
    struct list waiting;         /* look-ups that wait for the name */
    struct inquiry inquiries[2]; /* the second is sent when the first has been under way for long */
    unsigned out;                /* number of inquiries under way */
    struct delay_ticket place;   /* in resolver->places while the query counts towards PLACES_MAX */
    struct delay_ticket grace;   /* in resolver->graces until the callers get the last answer */
    uint64_t asked_ms;           /* time of the newest query on the loop's clock */
    struct known_addresses known;
    char name[];
};

struct resolver {
    uv_loop_t *loop;
    struct dns *dns; /* owned */
    uv_idle_t turn;
    struct delay_queue places; /* records whose queries count towards PLACES_MAX */
    struct delay_queue graces;
    struct closing parts; /* `dns`, `turn` and both queues */
    void *names;          /* tree of tsearch with the `name` of each record */
    size_t name_count;
    struct list records[PHASE_COUNT];
    struct list due;
    size_t places_taken;
    struct resolver_counts counts;
    bool closing;
    resolver_close_fn on_close;
    void *close_context;
};

static void on_turn(uv_idle_t *turn);
static void on_answer(struct dns_query *query, const struct dns_answer *answer);

/* --- Records --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

static void move_to(struct record *record, enum record_phase phase)
{
    link_remove(&record->link);
    record->phase = phase;
    list_append(&record->resolver->records[phase], &record->link);
}

static void record_free(struct record *record)
{
    delay_ticket_cancel(&record->place);
    delay_ticket_cancel(&record->grace);
    known_addresses_deinit(&record->known);
    free(record);
}

static void free_name(void *name)
{
    record_free(container_of(name, struct record, name));
}

/* Evicts the least recently used name. Returns false if all names are in use. */
static bool forget_oldest(struct resolver *resolver)
{
    struct link *link = list_pop(&resolver->records[PHASE_KEPT]);
    if (!link) return false;
    struct record *record = container_of(link, struct record, link);
    tdelete(record->name, &resolver->names, compare_names);
    resolver->name_count--;
    record_free(record);
    return true;
}

static struct record *record_new(struct resolver *resolver, const char *name)
{
    if (resolver->name_count == NAMES_MAX && !forget_oldest(resolver)) return NULL;
    struct record *record = calloc(1, sizeof(*record) + strlen(name) + 1);
    if (!record) return NULL;
    record->resolver = resolver;
    link_init(&record->link);
    link_init(&record->due);
    list_init(&record->waiting);
    delay_ticket_init(&record->place);
    delay_ticket_init(&record->grace);
    for (size_t i = 0; i < ARRAY_LEN(record->inquiries); i++) record->inquiries[i].record = record;
    memcpy(record->name, name, strlen(name) + 1);
    if ((address_is_localhost(slice_of(name)) && !known_addresses_take_localhost(&record->known)) ||
        !tsearch(record->name, &resolver->names, compare_names)) {
        record_free(record);
        return NULL;
    }
    resolver->name_count++;
    move_to(record, PHASE_KEPT);
    return record;
}

static struct record *record_find(const struct resolver *resolver, const char *name)
{
    char *const *found = tfind(name, &resolver->names, compare_names);
    return found ? container_of(*found, struct record, name) : NULL;
}

static struct record *record_get(struct resolver *resolver, const char *name)
{
    struct record *record = record_find(resolver, name);
    return record ? record : record_new(resolver, name);
}

static bool is_fresh(const struct record *record)
{
    return known_addresses_are_fresh(&record->known, uv_now(record->resolver->loop));
}

/* --- From a look-up to a question --- */

static void make_due(struct record *record)
{
    if (link_is_linked(&record->due)) return;
    if (record->phase == PHASE_KEPT) link_remove(&record->link);
    list_append(&record->resolver->due, &record->due);
}

/* Queues a query for the name, unless the current query may still be answered soon. */
static void enqueue(struct record *record)
{
    struct resolver *resolver = record->resolver;
    bool late = uv_now(resolver->loop) - record->asked_ms > REPEAT_MS;
    if (record->phase == PHASE_ASKED && (!late || record->out == ARRAY_LEN(record->inquiries))) return;
    if (record->phase == PHASE_WANTED) return;
    move_to(record, record->failed || list_is_empty(&record->waiting) ? PHASE_DOUBTFUL : PHASE_WANTED);
    uv_idle_start(&resolver->turn, on_turn);
}

int resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn on_done)
{
    assert(!resolver->closing && !link_is_linked(&lookup->link));
    struct record *record = record_get(resolver, name);
    if (!record) return UV_ENOMEM;
    lookup->on_done = on_done;
    list_append(&record->waiting, &lookup->link);
    if (is_fresh(record)) {
        make_due(record);
        uv_idle_start(&resolver->turn, on_turn);
        return 0;
    }
    if (known_addresses_are_usable(&record->known, uv_now(resolver->loop)))
        delay_queue_add(&resolver->graces, &record->grace);
    enqueue(record);
    return 0;
}

void resolver_refresh(struct resolver *resolver, const char *name)
{
    struct record *record = record_get(resolver, name);
    if (!record || is_fresh(record) || record->phase != PHASE_KEPT || link_is_linked(&record->due)) return;
    record->refresh = true;
    enqueue(record);
}

static void ask(struct record *record)
{
    struct resolver *resolver = record->resolver;
    struct inquiry *inquiry = &record->inquiries[record->inquiries[0].query.request ? 1 : 0];
    move_to(record, PHASE_ASKED);
    record->asked_ms = uv_now(resolver->loop);
    record->out++;
    resolver->places_taken++;
    delay_queue_add(&resolver->places, &record->place);
    resolver->counts.queries++;
    dns_ask(resolver->dns, &inquiry->query, record->name, DNS_ADDRESSES, on_answer);
}

static void ask_queued(struct resolver *resolver)
{
    static const enum record_phase phases[] = {PHASE_WANTED, PHASE_DOUBTFUL};
    bool any = !list_is_empty(&resolver->records[PHASE_WANTED]) ||
               !list_is_empty(&resolver->records[PHASE_DOUBTFUL]);
    if (any) dns_refresh(resolver->dns);
    for (size_t i = 0; i < ARRAY_LEN(phases); i++) {
        struct list *queued = &resolver->records[phases[i]];
        while (!list_is_empty(queued) && resolver->places_taken < PLACES_MAX) {
            struct record *record = container_of(list_first(queued), struct record, link);
            if (!list_is_empty(&record->waiting) || record->refresh)
                ask(record);
            else
                move_to(record, record->out ? PHASE_ASKED : PHASE_KEPT);
        }
    }
}

/* --- From an answer to the callers --- */

static void leave_place(struct record *record)
{
    if (!delay_ticket_waits(&record->place)) return;
    delay_ticket_cancel(&record->place);
    record->resolver->places_taken--;
}

static void on_place_over(struct delay_ticket *ticket)
{
    struct resolver *resolver = container_of(ticket, struct record, place)->resolver;
    resolver->places_taken--;
    uv_idle_start(&resolver->turn, on_turn);
}

static void on_grace_over(struct delay_ticket *ticket)
{
    struct record *record = container_of(ticket, struct record, grace);
    if (list_is_empty(&record->waiting)) return;
    make_due(record);
    uv_idle_start(&record->resolver->turn, on_turn);
}

static void on_answer(struct dns_query *query, const struct dns_answer *answer)
{
    struct record *record = container_of(query, struct inquiry, query)->record;
    struct resolver *resolver = record->resolver;
    leave_place(record);
    if (!answer->partial) record->out--;
    bool telling = answer->count || (record->out == 0 && !answer->aborted);
    if (telling) {
        known_addresses_take(&record->known, answer, uv_now(resolver->loop));
        record->failed = answer->count == 0;
        record->refresh = false;
        resolver->counts.failures += record->failed;
    }
    if (record->phase == PHASE_ASKED && record->out == 0) move_to(record, PHASE_KEPT);
    if (telling && !list_is_empty(&record->waiting)) make_due(record);
    if (resolver->closing) return;
    if (answer->aborted && (!list_is_empty(&record->waiting) || record->refresh)) enqueue(record);
    uv_idle_start(&resolver->turn, on_turn);
}

/*
 * Calls back the callers of a record. The callbacks may look up this name or others. The record cannot be
 * evicted meanwhile, because it is not in the list of PHASE_KEPT.
 */
static void deliver(struct record *record)
{
    struct resolver *resolver = record->resolver;
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX];
    size_t count = known_addresses_hand_out(&record->known, endpoints, RESOLVER_ADDRESSES_MAX);
    struct list waiting;
    delay_ticket_cancel(&record->grace);
    list_init(&waiting);
    list_move(&waiting, &record->waiting);
    for (struct link *link; (link = list_pop(&waiting));) {
        struct lookup *lookup = container_of(link, struct lookup, link);
        resolver->counts.lookups++;
        lookup->on_done(lookup, endpoints, count, count ? NULL : record->known.error);
    }
    if (record->phase == PHASE_KEPT && !link_is_linked(&record->due)) move_to(record, PHASE_KEPT);
}

/*
 * Sends queued queries and calls back callers. If a callback makes a name due, that name waits for the next
 * turn.
 */
static void on_turn(uv_idle_t *turn)
{
    struct resolver *resolver = container_of(turn, struct resolver, turn);
    struct list due;
    uv_idle_stop(turn);
    ask_queued(resolver);
    list_init(&due);
    list_move(&due, &resolver->due);
    for (struct link *link; (link = list_pop(&due));) deliver(container_of(link, struct record, due));
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

/* --- What is known --- */

bool resolver_distrust(struct resolver *resolver, const char *name)
{
    struct record *record = record_find(resolver, name);
    return record && known_addresses_distrust(&record->known, uv_now(resolver->loop));
}

bool resolver_lists(const struct resolver *resolver, const char *name, const union endpoint *endpoint)
{
    const struct record *record = record_find(resolver, name);
    return !record || known_addresses_list(&record->known, endpoint);
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
    list_init(&resolver->due);
    uv_idle_init(loop, &resolver->turn);
    delay_queue_init(&resolver->places, loop, PLACE_MS, on_place_over);
    delay_queue_init(&resolver->graces, loop, GRACE_MS, on_grace_over);
    for (int part = 0; part < 4; part++) closing_count(&resolver->parts);
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
    list_each (&resolver->due, at, after) {
        if (!list_is_empty(&container_of(at, struct record, due)->waiting)) return true;
    }
    return false;
}

static void on_closed(void *context)
{
    struct resolver *resolver = context;
    resolver_close_fn on_close = resolver->on_close;
    void *close_context = resolver->close_context;
    tdestroy(resolver->names, free_name);
    free(resolver);
    on_close(close_context);
}

static void on_dns_closed(void *context)
{
    closing_done(context);
}

void resolver_close(struct resolver *resolver, resolver_close_fn on_close, void *context)
{
    if (!resolver) return;
    assert(!resolver->closing && !is_waited_for(resolver));
    resolver->closing = true;
    resolver->on_close = on_close;
    resolver->close_context = context;
    dns_close(resolver->dns, on_dns_closed, &resolver->parts);
    delay_queue_close(&resolver->places, &resolver->parts);
    delay_queue_close(&resolver->graces, &resolver->parts);
    closing_close(&resolver->parts, (uv_handle_t *) &resolver->turn);
    closing_begin(&resolver->parts, on_closed, resolver);
}
