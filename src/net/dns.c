/*
 * The happy path: dns_ask -> (c-ares opens its sockets: on_socket_state) -> on_socket, on_tick ->
 * on_addresses
 * -> the asker's on_answer. A name in /etc/hosts is answered within dns_ask.
 *
 * What can go wrong: the servers say no, or nothing in all tries (the answer says so); resolv.conf changes
 * (a new channel takes over, the old one is destroyed and aborts its queries); a socket cannot be watched (it
 * looks like a silent server). c-ares must not be destroyed from within, hence what dns.h forbids an asker.
 */
#include "net/dns.h"

#include "base/container.h"
#include "base/list.h"

#include <ares.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TTL_MIN_MS     1000
#define TTL_MAX_MS     (3600 * 1000)
#define TTL_HOSTS_MS   10000
#define TTL_FAILURE_MS 1000

/*
 * A lost packet must be made good within a scrape's second, so the first repetition comes early; c-ares
 * doubles the wait each time (4.5 s for one server) and takes a late answer to an earlier try.
 */
#define TRY_MS 300
#define TRIES  4

/* c-ares looks for tries that are over this often; its own ares_timeout is linear in the queries. */
#define TICK_MS 50

/* One socket of c-ares. */
struct watcher {
    uv_poll_t poll;
    struct link link;
    struct dns *dns;
    ares_socket_t socket;
};

/* What tells one state of a file from another. */
struct version {
    ino_t inode;
    off_t size;
    struct timespec modified;
};

struct dns {
    uv_loop_t *loop;
    char *config;  /* owned: the resolv.conf to watch, or NULL */
    char *servers; /* owned: the list that replaces it, or NULL */
    struct version version;
    ares_channel channel;
    bool asking;      /* inside ares_getaddrinfo */
    unsigned pending; /* queries */
    uv_timer_t tick;  /* runs while there are any */
    unsigned handles; /* not yet closed: the tick and the watchers */
    struct list watchers;
    dns_close_fn on_close;
    void *close_context;
};

static void on_tick(uv_timer_t *tick);

/* --- Sockets --- */

static void on_handle_closed(struct dns *dns)
{
    if (--dns->handles > 0) return;
    dns_close_fn on_close = dns->on_close;
    void *context = dns->close_context;
    free(dns->config);
    free(dns->servers);
    free(dns);
    ares_library_cleanup();
    on_close(context);
}

static void on_tick_closed(uv_handle_t *handle)
{
    on_handle_closed(handle->data);
}

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = container_of((uv_poll_t *) handle, struct watcher, poll);
    struct dns *dns = watcher->dns;
    free(watcher);
    on_handle_closed(dns);
}

/* An error wakes c-ares as either event would: it finds the error at the socket itself. */
static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = container_of(poll, struct watcher, poll);
    bool readable = status < 0 || (events & UV_READABLE);
    bool writable = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(watcher->dns->channel, readable ? watcher->socket : ARES_SOCKET_BAD,
                    writable ? watcher->socket : ARES_SOCKET_BAD);
}

static struct watcher *watcher_find(struct dns *dns, ares_socket_t socket)
{
    list_each (&dns->watchers, at, after) {
        struct watcher *watcher = container_of(at, struct watcher, link);
        if (watcher->socket == socket) return watcher;
    }
    return NULL;
}

static struct watcher *watcher_new(struct dns *dns, ares_socket_t socket)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher) return NULL;
    if (uv_poll_init(dns->loop, &watcher->poll, socket) < 0) {
        free(watcher);
        return NULL;
    }
    watcher->dns = dns;
    watcher->socket = socket;
    list_append(&dns->watchers, &watcher->link);
    dns->handles++;
    return watcher;
}

/*
 * c-ares wants other events of a socket, or none: then it closes the descriptor right after this call, so the
 * loop must have let go of it before the return.
 */
static void on_socket_state(void *context, ares_socket_t socket, int readable, int writable)
{
    struct dns *dns = context;
    struct watcher *watcher = watcher_find(dns, socket);
    if (readable || writable) {
        int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
        if (!watcher) watcher = watcher_new(dns, socket);
        if (watcher) uv_poll_start(&watcher->poll, events, on_socket);
    } else if (watcher) {
        link_remove(&watcher->link);
        uv_poll_stop(&watcher->poll);
        uv_close((uv_handle_t *) &watcher->poll, on_watcher_closed);
    }
}

/* --- The channel --- */

/* With a list of servers nothing is taken from resolv.conf, no search domain either. */
static int open_channel(struct dns *dns, ares_channel *channel)
{
    char nothing[] = "/dev/null";
    struct ares_options options = {
        .timeout = TRY_MS,
        .tries = TRIES,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = dns,
        .resolvconf_path = dns->config ? dns->config : nothing,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    if (dns->servers) mask |= ARES_OPT_DOMAINS;
    int status = ares_init_options(channel, &options, mask);
    if (status != ARES_SUCCESS) return status == ARES_ENOMEM ? UV_ENOMEM : UV_EIO;
    if (!dns->servers) return 0;
    status = ares_set_servers_ports_csv(*channel, dns->servers);
    if (status == ARES_SUCCESS) return 0;
    ares_destroy(*channel);
    return status == ARES_ENOMEM ? UV_ENOMEM : UV_EINVAL;
}

/* All zeros for a file that is not there, or that does not matter. */
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

/* Without memory for the new channel, the old one serves on until the next attempt. */
void dns_refresh(struct dns *dns)
{
    struct version version = version_of(dns->config);
    ares_channel old = dns->channel, channel;
    if (same_version(&version, &dns->version) || open_channel(dns, &channel) < 0) return;
    dns->version = version;
    dns->channel = channel;
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

static void shorten(int64_t *ttl_ms, int ttl)
{
    int64_t ms = (int64_t) ttl * 1000;
    if (ms < *ttl_ms) *ttl_ms = ms;
}

/* The shortest TTL among the addresses and the aliases on the way to them. */
static uint64_t ttl_of(const struct dns *dns, const struct ares_addrinfo *info)
{
    /* An answer within the call was in /etc/hosts, which knows no TTL. */
    if (dns->asking) return TTL_HOSTS_MS;
    int64_t ttl_ms = TTL_MAX_MS;
    for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        shorten(&ttl_ms, node->ai_ttl);
    for (struct ares_addrinfo_cname *alias = info->cnames; alias; alias = alias->next)
        shorten(&ttl_ms, alias->ttl);
    return ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : (uint64_t) ttl_ms;
}

static void take_endpoints(struct dns_answer *answer, const struct ares_addrinfo *info)
{
    for (struct ares_addrinfo_node *node = info->nodes; node && answer->count < DNS_ADDRESSES_MAX;
         node = node->ai_next) {
        if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
            memcpy(&answer->endpoints[answer->count++], node->ai_addr, node->ai_addrlen);
    }
}

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
    struct dns_query *query = context;
    struct dns *dns = query->dns;
    struct dns_answer answer = {.ttl_ms = TTL_FAILURE_MS, .aborted = status == ARES_EDESTRUCTION};
    (void) timeouts;
    if (--dns->pending == 0) uv_timer_stop(&dns->tick);
    if (status == ARES_SUCCESS) take_endpoints(&answer, info);
    if (answer.count)
        answer.ttl_ms = ttl_of(dns, info);
    else
        answer.error = describe(status == ARES_SUCCESS ? ARES_ENODATA : status);
    ares_freeaddrinfo(info);
    query->on_answer(query, &answer);
}

static void on_tick(uv_timer_t *tick)
{
    struct dns *dns = tick->data;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void dns_ask(struct dns *dns, struct dns_query *query, const char *name, dns_answer_fn on_answer)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
    *query = (struct dns_query){dns, on_answer};
    if (dns->pending++ == 0) uv_timer_start(&dns->tick, on_tick, TICK_MS, TICK_MS);
    dns->asking = true;
    ares_getaddrinfo(dns->channel, name, NULL, &hints, on_addresses, query);
    dns->asking = false;
}

/* --- Life --- */

int dns_new(struct dns **result, uv_loop_t *loop, const char *servers)
{
    bool is_list = servers && servers[0] != '/';
    struct dns *dns = calloc(1, sizeof(*dns));
    char *source = strdup(servers ? servers : "/etc/resolv.conf");
    int status = UV_ENOMEM;
    if (!dns || !source) goto no_memory;

    dns->loop = loop;
    *(is_list ? &dns->servers : &dns->config) = source;
    list_init(&dns->watchers);
    dns->version = version_of(dns->config);
    ares_library_init(ARES_LIB_INIT_ALL);
    status = open_channel(dns, &dns->channel);
    if (status < 0) goto no_channel;
    uv_timer_init(loop, &dns->tick);
    dns->tick.data = dns;
    dns->handles = 1;
    *result = dns;
    return 0;

no_channel:
    ares_library_cleanup();
no_memory:
    free(source);
    free(dns);
    return status;
}

void dns_close(struct dns *dns, dns_close_fn on_close, void *context)
{
    dns->on_close = on_close;
    dns->close_context = context;
    ares_destroy(dns->channel);
    uv_close((uv_handle_t *) &dns->tick, on_tick_closed);
}
