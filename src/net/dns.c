/*
 * The happy path: dns_ask -> (c-ares opens its sockets: on_socket_state) -> on_socket, on_tick ->
 * on_addresses or on_message -> finish -> the asker's on_answer. A name in /etc/hosts is answered within
 * dns_ask.
 *
 * What can go wrong: the servers say no, or nothing in all tries, or what cannot be read (the answer says
 * so); resolv.conf changes (a new channel takes over, the old one is destroyed and aborts its queries); a
 * socket cannot be watched (it looks like a silent server). c-ares must not be destroyed from within, hence
 * what dns.h forbids an asker. It cannot take a query back either: a request outlives its cancelled query.
 */
#include "net/dns.h"

#include "base/container.h"
#include "base/list.h"
#include "net/dns_srv.h"

#include <ares.h>
#include <stdlib.h>
#include <sys/stat.h>

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

#define CLASS_IN 1
#define TYPE_SRV 33

/* One socket of c-ares. */
struct watcher {
    uv_poll_t poll;
    struct link link;
    struct dns *dns;
    ares_socket_t socket;
};

/* One query in c-ares. */
struct dns_request {
    struct dns *dns;
    struct dns_query *query; /* NULL: cancelled */
    enum dns_type type;
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

/* --- Answers --- */

/* A server that fails or refuses is passed over by c-ares; when none is left it says ARES_ECONNREFUSED. */
static const char *describe(int status, enum dns_type type)
{
    switch (status) {
    case ARES_ENOTFOUND:
        return "name not found";
    case ARES_ENODATA:
        return type == DNS_SRV ? "the name has no SRV record" : "the name has no address";
    case ARES_ETIMEOUT:
        return "the name servers do not answer";
    case ARES_ECONNREFUSED:
        return "no name server could answer";
    case ARES_EBADRESP:
        return "the name server's answer is malformed";
    case ARES_ENOMEM:
        return "out of memory";
    default:
        return ares_strerror(status);
    }
}

/* Hands the answer to the asker; without records the status says why. */
static void finish(struct dns_request *request, int status, struct dns_answer *answer)
{
    struct dns *dns = request->dns;
    struct dns_query *query = request->query;
    if (answer->count == 0) {
        if (status == ARES_SUCCESS) status = ARES_ENODATA;
        answer->ttl_ms = TTL_FAILURE_MS;
        answer->error = describe(status, request->type);
        answer->absent = status == ARES_ENODATA || status == ARES_ENOTFOUND;
        answer->aborted = status == ARES_EDESTRUCTION;
    }
    free(request);
    if (--dns->pending == 0) uv_timer_stop(&dns->tick);
    if (!query) return;
    query->request = NULL;
    query->on_answer(query, answer);
}

static void shorten(uint64_t *ttl_ms, int64_t ttl)
{
    uint64_t ms = ttl < 0 ? 0 : (uint64_t) ttl * 1000;
    if (ms < *ttl_ms) *ttl_ms = ms;
}

/* The shortest TTL among the addresses and the aliases on the way to them. */
static uint64_t ttl_of(const struct dns *dns, const struct ares_addrinfo *info)
{
    /* An answer within the call was in /etc/hosts, which knows no TTL. */
    if (dns->asking) return TTL_HOSTS_MS;
    uint64_t ttl_ms = TTL_MAX_MS;
    for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next)
        shorten(&ttl_ms, node->ai_ttl);
    for (struct ares_addrinfo_cname *alias = info->cnames; alias; alias = alias->next)
        shorten(&ttl_ms, alias->ttl);
    return ttl_ms;
}

/* The addresses, owned by the caller, or NULL without memory. */
static union endpoint *copy_endpoints(const struct ares_addrinfo *info, size_t *count)
{
    size_t nodes = 0;
    for (struct ares_addrinfo_node *node = info->nodes; node; node = node->ai_next) nodes++;
    union endpoint *endpoints = calloc(nodes ? nodes : 1, sizeof(*endpoints));
    for (struct ares_addrinfo_node *node = info->nodes; node && endpoints; node = node->ai_next) {
        if (node->ai_family == AF_INET || node->ai_family == AF_INET6)
            memcpy(&endpoints[(*count)++], node->ai_addr, node->ai_addrlen);
    }
    return endpoints;
}

static void on_addresses(void *context, int status, int timeouts, struct ares_addrinfo *info)
{
    struct dns_request *request = context;
    struct dns_answer answer = {0};
    union endpoint *endpoints = NULL;
    (void) timeouts;
    if (status == ARES_SUCCESS) {
        endpoints = copy_endpoints(info, &answer.count);
        answer.endpoints = endpoints;
        answer.ttl_ms = ttl_of(request->dns, info);
        if (!endpoints) status = ARES_ENOMEM;
    }
    ares_freeaddrinfo(info);
    finish(request, status, &answer);
    free(endpoints);
}

static void on_message(void *context, int status, int timeouts, unsigned char *message, int len)
{
    struct dns_answer answer = {.ttl_ms = TTL_MAX_MS};
    struct dns_service *services = NULL;
    (void) timeouts;
    if (status == ARES_SUCCESS) {
        uint32_t ttl;
        int outcome = dns_srv_read(message, (size_t) len, &services, &answer.count, &ttl);
        if (outcome < 0) {
            status = outcome == UV_ENOMEM ? ARES_ENOMEM : ARES_EBADRESP;
            answer.count = 0;
        }
        answer.services = services;
        shorten(&answer.ttl_ms, ttl);
    }
    finish(context, status, &answer);
    free(services);
}

/* --- Questions --- */

static void on_tick(uv_timer_t *tick)
{
    struct dns *dns = tick->data;
    ares_process_fd(dns->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

static void ask_addresses(struct dns *dns, struct dns_request *request, const char *name)
{
    struct ares_addrinfo_hints hints = {.ai_family = AF_UNSPEC};
    if (request->type != DNS_ADDRESSES) {
        hints.ai_family = request->type == DNS_A ? AF_INET : AF_INET6;
        hints.ai_flags = ARES_AI_NOSORT;
    }
    dns->asking = true;
    ares_getaddrinfo(dns->channel, name, NULL, &hints, on_addresses, request);
    dns->asking = false;
}

void dns_ask(struct dns *dns, struct dns_query *query, const char *name, enum dns_type type,
             dns_answer_fn on_answer)
{
    struct dns_request *request = malloc(sizeof(*request));
    *query = (struct dns_query){request, on_answer};
    if (!request) {
        on_answer(query,
                  &(struct dns_answer){.error = describe(ARES_ENOMEM, type), .ttl_ms = TTL_FAILURE_MS});
        return;
    }
    *request = (struct dns_request){dns, query, type};
    if (dns->pending++ == 0) uv_timer_start(&dns->tick, on_tick, TICK_MS, TICK_MS);
    if (type == DNS_SRV)
        ares_search(dns->channel, name, CLASS_IN, TYPE_SRV, on_message, request);
    else
        ask_addresses(dns, request, name);
}

void dns_cancel(struct dns_query *query)
{
    if (query->request) query->request->query = NULL;
    query->request = NULL;
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
