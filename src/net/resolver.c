/*
 * The happy path of a name that is not known yet:
 *
 *     resolver_lookup -> on_turn: ask -> (c-ares: sockets, on_socket, on_tick) -> on_answer
 *                     -> on_turn: deliver -> the caller's on_done
 *
 * Each name has one record, which is in one of four lists: queued, asked, due or kept. A caller joins the
 * record of its name wherever that is; a fresh kept one is due at once. Everything is moved on by on_turn, an
 * idle handle that runs only when there is something to do. So no caller's code and no new query ever runs
 * inside resolver_lookup or inside c-ares, which must not be entered twice or destroyed from within.
 *
 * What can go wrong: the name servers say no or nothing (a short text, kept for a second); the callers lose
 * patience (a queued name that nobody wants any more is not asked for, an asked one is answered for later);
 * resolv.conf changes under running queries (their channel is destroyed, and they are asked anew on the next
 * one); the resolver is closed under queries without callers (c-ares ends them, nobody is told).
 */
#include "net/resolver.h"

#include "base/container.h"

#include <ares.h>
#include <assert.h>
#include <search.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TTL_MIN_MS     1000
#define TTL_MAX_MS     (3600 * 1000)
#define TTL_HOSTS_MS   10000
#define TTL_FAILURE_MS 1000

/* A fleet of 10,000 fits; beyond it the names used the longest ago are forgotten. */
#define NAMES_MAX 16384

/* A name makes two packets: so many fit into a socket's buffer on either side. */
#define ASKED_MAX 100

/*
 * A lost packet must be made good within a scrape's second, so the first repetition comes early; c-ares
 * doubles the wait each time (4.5 s for one server) and takes a late answer to an earlier try.
 */
#define TRY_MS 300
#define TRIES  4

/* c-ares looks for tries that are over this often; its own ares_timeout is linear in the queries. */
#define TICK_MS 50

enum phase { PHASE_QUEUED, PHASE_ASKED, PHASE_DUE, PHASE_KEPT, PHASE_COUNT };

/* All about one name. */
struct record {
    struct resolver *resolver;
    struct link link; /* in the list of its phase */
    enum phase phase;
    struct list waiting;       /* look-ups */
    uint64_t expires_ms;       /* on the loop's clock */
    union endpoint *endpoints; /* owned; NULL after a failure */
    size_t count;
    const char *error; /* a constant */
    char name[];
};

/* One socket of c-ares. */
struct watcher {
    uv_poll_t poll;
    struct link link;
    struct resolver *resolver;
    ares_socket_t socket;
};

/* What tells one version of a file from another. */
struct version {
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct resolver {
    uv_loop_t *loop;
    char *config;  /* owned: the resolv.conf to watch, or NULL */
    char *servers; /* owned: the list that replaces it, or NULL */
    struct version version;
    ares_channel channel;
    bool asking; /* inside ares_getaddrinfo */
    uv_idle_t turn;
    uv_timer_t tick;
    unsigned handles;     /* not yet closed, watchers among them */
    struct list watchers; /* open ones */
    void *names;          /* tsearch: the `name` of each record */
    size_t name_count;
    struct list records[PHASE_COUNT];
    size_t asked;
    struct resolver_counts counts;
    bool closing;
    resolver_close_fn on_close;
    void *close_context;
};

static void on_turn(uv_idle_t *turn);
static void on_tick(uv_timer_t *tick);

/* --- Entries --- */

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

static bool answer_localhost(struct record *record)
{
    record->endpoints = calloc(2, sizeof(union endpoint));
    if (!record->endpoints) return false;
    record->endpoints[0].v4.sin_family = AF_INET;
    record->endpoints[0].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    record->endpoints[1].v6.sin6_family = AF_INET6;
    record->endpoints[1].v6.sin6_addr = in6addr_loopback;
    record->count = 2;
    record->expires_ms = UINT64_MAX;
    return true;
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

/* --- Sockets --- */

static void on_handle_closed(struct resolver *resolver)
{
    if (--resolver->handles > 0) return;
    resolver_close_fn on_close = resolver->on_close;
    void *context = resolver->close_context;
    tdestroy(resolver->names, free_name);
    free(resolver->config);
    free(resolver->servers);
    free(resolver);
    ares_library_cleanup();
    on_close(context);
}

static void on_own_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = container_of((uv_poll_t *) handle, struct watcher, poll);
    struct resolver *resolver = watcher->resolver;
    free(watcher);
    on_handle_closed(resolver);
}

/* An error wakes c-ares as either event would: it finds the error at the socket itself. */
static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = container_of(poll, struct watcher, poll);
    bool readable = status < 0 || (events & UV_READABLE);
    bool writable = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(watcher->resolver->channel, readable ? watcher->socket : ARES_SOCKET_BAD,
                    writable ? watcher->socket : ARES_SOCKET_BAD);
}

static struct watcher *watcher_find(struct resolver *resolver, ares_socket_t socket)
{
    list_each (&resolver->watchers, at, after) {
        struct watcher *watcher = container_of(at, struct watcher, link);
        if (watcher->socket == socket) return watcher;
    }
    return NULL;
}

static struct watcher *watcher_new(struct resolver *resolver, ares_socket_t socket)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher) return NULL;
    if (uv_poll_init(resolver->loop, &watcher->poll, socket) < 0) {
        free(watcher);
        return NULL;
    }
    watcher->resolver = resolver;
    watcher->socket = socket;
    list_append(&resolver->watchers, &watcher->link);
    resolver->handles++;
    return watcher;
}

/*
 * c-ares wants other events of a socket, or none: then it closes the descriptor right after this call, so the
 * loop must have let go of it before the return. A socket that cannot be watched looks like a silent server.
 */
static void on_socket_state(void *context, ares_socket_t socket, int readable, int writable)
{
    struct resolver *resolver = context;
    struct watcher *watcher = watcher_find(resolver, socket);
    if (readable || writable) {
        if (!watcher) watcher = watcher_new(resolver, socket);
        if (watcher)
            uv_poll_start(&watcher->poll, (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0),
                          on_socket);
    } else if (watcher) {
        link_remove(&watcher->link);
        uv_poll_stop(&watcher->poll);
        uv_close((uv_handle_t *) &watcher->poll, on_watcher_closed);
    }
}

/* --- The channel --- */

/* With a list of servers nothing is taken from resolv.conf, no search domain either. */
static int open_channel(struct resolver *resolver, ares_channel *channel)
{
    char nothing[] = "/dev/null";
    struct ares_options options = {
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = resolver,
        .resolvconf_path = resolver->config ? resolver->config : nothing,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    if (resolver->servers) mask |= ARES_OPT_DOMAINS;
    int status = ares_init_options(channel, &options, mask);
    if (status != ARES_SUCCESS) return status == ARES_ENOMEM ? UV_ENOMEM : UV_EIO;
    if (!resolver->servers) return 0;
    status = ares_set_servers_ports_csv(*channel, resolver->servers);
    if (status == ARES_SUCCESS) return 0;
    ares_destroy(*channel);
    return status == ARES_ENOMEM ? UV_ENOMEM : UV_EINVAL;
}

/* All zeros for a file that is not there. */
static struct version version_of(const char *path)
{
    struct stat status;
    if (!path || stat(path, &status) < 0) return (struct version){0};
    return (struct version){status.st_ino, status.st_size, status.st_mtim};
}

static bool same_version(const struct version *a, const struct version *b)
{
    return a->inode == b->inode && a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

/*
 * Takes over a changed resolv.conf. What was asked by the old one comes back with ARES_EDESTRUCTION and is
 * queued again. Without memory for the new channel, the old one serves on until the next attempt.
 */
static void refresh_channel(struct resolver *resolver)
{
    struct version version = version_of(resolver->config);
    ares_channel old = resolver->channel, channel;
    if (same_version(&version, &resolver->version) || open_channel(resolver, &channel) < 0) return;
    resolver->version = version;
    resolver->channel = channel;
    ares_destroy(old);
}

/* --- Questions and answers --- */

/* A server that fails or refuses is passed over by c-ares; when none is left it says ARES_ECONNREFUSED. */
static const char *describe(int status)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "name not found";
    case ARES_ENODATA:
        return "the name has no address";
    case ARES_ETIMEOUT:
        return "the name servers do not answer";
    case ARES_ECONNREFUSED:
        return "no name server could answer";
    case ARES_ENOMEM:
        return "out of memory";
    default:
        return ares_strerror(status);
    }
}

/* The shortest TTL among the addresses and the aliases on the way to them. */
static uint64_t ttl_of(const struct resolver *resolver, const struct ares_addrinfo *answer)
{
    /* An answer within the call was in /etc/hosts, which knows no TTL. */
    if (resolver->asking) return TTL_HOSTS_MS;
    int64_t ttl_ms = TTL_MAX_MS;
    for (struct ares_addrinfo_node *node = answer->nodes; node; node = node->ai_next) {
        if (node->ai_ttl * INT64_C(1000) < ttl_ms) ttl_ms = node->ai_ttl * INT64_C(1000);
    }
    for (struct ares_addrinfo_cname *alias = answer->cnames; alias; alias = alias->next) {
        if (alias->ttl * INT64_C(1000) < ttl_ms) ttl_ms = alias->ttl * INT64_C(1000);
    }
    return ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : (uint64_t) ttl_ms;
}

/* Takes the addresses over; false when there is none or no memory. */
static bool take_endpoints(struct record *record, const struct ares_addrinfo *answer)
{
    union endpoint endpoints[RESOLVER_ADDRESSES_MAX] = {0};
    size_t count = 0;
    for (struct ares_addrinfo_node *node = answer->nodes; node && count < RESOLVER_ADDRESSES_MAX;
         node = node->ai_next) {
        if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
            memcpy(&endpoints[count++], node->ai_addr, node->ai_addrlen);
    }
    if (count == 0) return false;
    record->endpoints = malloc(count * sizeof(endpoints[0]));
    if (!record->endpoints) return false;
    memcpy(record->endpoints, endpoints, count * sizeof(endpoints[0]));
    record->count = count;
    return true;
}

static void take_answer(struct record *record, int status, const struct ares_addrinfo *answer)
{
    struct resolver *resolver = record->resolver;
    free(record->endpoints);
    record->endpoints = NULL;
    record->count = 0;
    uint64_t ttl_ms = TTL_FAILURE_MS;
    if (status == ARES_SUCCESS && take_endpoints(record, answer)) {
        ttl_ms = ttl_of(resolver, answer);
        record->error = NULL;
    } else {
        record->error = describe(status == ARES_SUCCESS ? ARES_ENODATA : status);
        resolver->counts.failures++;
    }
    record->expires_ms = uv_now(resolver->loop) + ttl_ms;
}

static void on_answer(void *context, int status, int timeouts, struct ares_addrinfo *answer)
{
    struct record *record = context;
    struct resolver *resolver = record->resolver;
    (void) timeouts;
    if (--resolver->asked == 0) uv_timer_stop(&resolver->tick);
    if (status == ARES_EDESTRUCTION) {
        move(record, PHASE_QUEUED);
    } else {
        take_answer(record, status, answer);
        move(record, PHASE_DUE);
    }
    ares_freeaddrinfo(answer);
    if (!resolver->closing) uv_idle_start(&resolver->turn, on_turn);
}

static void ask(struct record *record)
{
    struct resolver *resolver = record->resolver;
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
    move(record, PHASE_ASKED);
    if (resolver->asked++ == 0) uv_timer_start(&resolver->tick, on_tick, TICK_MS, TICK_MS);
    resolver->counts.queries++;
    resolver->asking = true;
    ares_getaddrinfo(resolver->channel, record->name, NULL, &hints, on_answer, record);
    resolver->asking = false;
}

static void on_tick(uv_timer_t *tick)
{
    struct resolver *resolver = tick->data;
    ares_process_fd(resolver->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void ask_queued(struct resolver *resolver)
{
    struct list *queued = &resolver->records[PHASE_QUEUED];
    if (!list_is_empty(queued)) refresh_channel(resolver);
    while (!list_is_empty(queued) && resolver->asked < ASKED_MAX) {
        struct record *record = container_of(list_first(queued), struct record, link);
        if (list_is_empty(&record->waiting))
            move(record, PHASE_KEPT);
        else
            ask(record);
    }
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

/* --- The outside --- */

int resolver_new(struct resolver **result, uv_loop_t *loop, const char *servers)
{
    bool is_list = servers && servers[0] != '/';
    struct resolver *resolver = calloc(1, sizeof(*resolver));
    if (!resolver) return UV_ENOMEM;
    char *source = strdup(servers ? servers : "/etc/resolv.conf");
    resolver->loop = loop;
    *(is_list ? &resolver->servers : &resolver->config) = source;
    list_init(&resolver->watchers);
    for (size_t phase = 0; phase < PHASE_COUNT; phase++) list_init(&resolver->records[phase]);

    ares_library_init(ARES_LIB_INIT_ALL);
    resolver->version = version_of(resolver->config);
    int status = source ? open_channel(resolver, &resolver->channel) : UV_ENOMEM;
    if (status < 0) {
        ares_library_cleanup();
        free(source);
        free(resolver);
        return status;
    }
    uv_idle_init(loop, &resolver->turn);
    uv_timer_init(loop, &resolver->tick);
    resolver->turn.data = resolver->tick.data = resolver;
    resolver->handles = 2;
    *result = resolver;
    return 0;
}

void lookup_init(struct lookup *lookup)
{
    *lookup = (struct lookup){0};
    link_init(&lookup->link);
}

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

void lookup_cancel(struct lookup *lookup)
{
    link_remove(&lookup->link);
}

struct resolver_counts resolver_counts(const struct resolver *resolver)
{
    return resolver->counts;
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

void resolver_close(struct resolver *resolver, resolver_close_fn on_close, void *context)
{
    if (!resolver) return;
    assert(!resolver->closing && !is_waited_for(resolver));
    resolver->closing = true;
    resolver->on_close = on_close;
    resolver->close_context = context;
    ares_destroy(resolver->channel);
    uv_close((uv_handle_t *) &resolver->turn, on_own_closed);
    uv_close((uv_handle_t *) &resolver->tick, on_own_closed);
}
