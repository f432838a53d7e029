/*
 * The happy path: dns_channel_ask -> (c-ares opens its sockets: on_socket_state) -> on_socket, on_tick ->
 * on_message -> the asker's callback.
 *
 * What can go wrong: the servers report an error or never answer (the outcome says so). A socket cannot be
 * watched (this looks like a silent server). c-ares must not be destroyed from within its callbacks, so the
 * header forbids that to callbacks. c-ares cannot cancel a single question: a caller that no longer needs the
 * answer ignores it.
 */
#include "net/dns_channel.h"

#include "base/container.h"
#include "base/list.h"

#include <ares.h>
#include <netdb.h>
#include <stdlib.h>
#include <unistd.h>

/*
 * The first repetition comes early, so that a lost packet is repeated within the usual scrape time-out of 1
 * s. c-ares doubles the wait with each try.
 */
#define TRY_MS 300
#define TRIES  4

/*
 * How often c-ares checks for expired tries. ares_timeout is not used, since its time is linear in the number
 * of queries.
 */
#define TICK_MS 50

#define CLASS_IN 1

struct dns_channel {
    uv_loop_t *loop;
    ares_channel ares;       /* NULL until dns_channel_open */
    char *sources;           /* to be freed with ares_free_string */
    struct resolv_conf conf; /* has the zones of the servers, which c-ares does not store */
    unsigned pending;        /* number of questions under way */
    uv_timer_t tick;         /* active while questions are under way */
    struct list watchers;
    struct closing parts; /* `tick` and the watchers */
    struct closing *owner;
};

/* Watches one socket of c-ares. */
struct watcher {
    uv_poll_t poll;
    struct link link;
    struct dns_channel *channel;
    ares_socket_t socket;
};

/* Context of one question. */
struct question {
    struct dns_channel *channel;
    dns_channel_fn on_message;
    void *context;
};

/* --- Sockets --- */

static void on_watcher_closed(uv_handle_t *handle)
{
    struct watcher *watcher = container_of((uv_poll_t *) handle, struct watcher, poll);
    struct dns_channel *channel = watcher->channel;
    free(watcher);
    closing_done(&channel->parts);
}

/* An error counts as both events: c-ares then finds the error on the socket itself. */
static void on_socket(uv_poll_t *poll, int status, int events)
{
    struct watcher *watcher = container_of(poll, struct watcher, poll);
    bool readable = status < 0 || (events & UV_READABLE);
    bool writable = status < 0 || (events & UV_WRITABLE);
    ares_process_fd(watcher->channel->ares, readable ? watcher->socket : ARES_SOCKET_BAD,
                    writable ? watcher->socket : ARES_SOCKET_BAD);
}

static struct watcher *watcher_find(struct dns_channel *channel, ares_socket_t socket)
{
    list_each (&channel->watchers, at, after) {
        struct watcher *watcher = container_of(at, struct watcher, link);
        if (watcher->socket == socket) return watcher;
    }
    return NULL;
}

static struct watcher *watcher_new(struct dns_channel *channel, ares_socket_t socket)
{
    struct watcher *watcher = calloc(1, sizeof(*watcher));
    if (!watcher) return NULL;
    if (uv_poll_init(channel->loop, &watcher->poll, socket) < 0) {
        free(watcher);
        return NULL;
    }
    watcher->channel = channel;
    watcher->socket = socket;
    list_append(&channel->watchers, &watcher->link);
    closing_count(&channel->parts);
    return watcher;
}

/*
 * c-ares calls this function when it wants different events of a socket, or none. If it wants none, it closes
 * the descriptor right after this call. So the loop must stop watching the descriptor before this function
 * returns.
 */
static void on_socket_state(void *context, ares_socket_t socket, int readable, int writable)
{
    struct dns_channel *channel = context;
    struct watcher *watcher = watcher_find(channel, socket);
    if (readable || writable) {
        int events = (readable ? UV_READABLE : 0) | (writable ? UV_WRITABLE : 0);
        if (!watcher) watcher = watcher_new(channel, socket);
        if (watcher) uv_poll_start(&watcher->poll, events, on_socket);
    } else if (watcher) {
        link_remove(&watcher->link);
        uv_poll_stop(&watcher->poll);
        uv_close((uv_handle_t *) &watcher->poll, on_watcher_closed);
    }
}

/* --- Link-local servers: c-ares before 1.20 cannot store a zone, so zone_connect adds it --- */

static ares_socket_t zone_socket(int domain, int type, int protocol, void *context)
{
    (void) context;
    return socket(domain, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

static int zone_close(ares_socket_t socket, void *context)
{
    (void) context;
    return close(socket);
}

static int zone_connect(ares_socket_t socket, const struct sockaddr *address, ares_socklen_t len,
                        void *context)
{
    const struct dns_channel *channel = context;
    union endpoint server = {0};
    memcpy(&server, address, len < sizeof(server) ? len : sizeof(server));
    for (size_t i = 0; i < channel->conf.server_count && server.any.sa_family == AF_INET6; i++) {
        const struct sockaddr_in6 *known = &channel->conf.servers[i].v6;
        if (known->sin6_family == AF_INET6 &&
            memcmp(&known->sin6_addr, &server.v6.sin6_addr, sizeof(known->sin6_addr)) == 0)
            server.v6.sin6_scope_id = known->sin6_scope_id;
    }
    return connect(socket, &server.any, len);
}

static ares_ssize_t zone_receive(ares_socket_t socket, void *data, size_t len, int flags,
                                 struct sockaddr *from, ares_socklen_t *from_len, void *context)
{
    (void) context;
    return recvfrom(socket, data, len, flags, from, from_len);
}

static ares_ssize_t zone_send(ares_socket_t socket, const struct iovec *pieces, int count, void *context)
{
    struct msghdr message = {.msg_iov = (struct iovec *) (uintptr_t) pieces, .msg_iovlen = (size_t) count};
    (void) context;
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

static const struct ares_socket_functions zone_functions = {zone_socket, zone_close, zone_connect,
                                                            zone_receive, zone_send};

static bool has_zones(const struct resolv_conf *conf)
{
    for (size_t i = 0; i < conf->server_count; i++) {
        if (conf->servers[i].any.sa_family == AF_INET6 && conf->servers[i].v6.sin6_scope_id) return true;
    }
    return false;
}

/* --- The channel of c-ares --- */

static int code_of(int status)
{
    return status == ARES_SUCCESS ? 0 : status == ARES_ENOMEM ? UV_ENOMEM : UV_EINVAL;
}

static int set_servers(ares_channel ares, const struct resolv_conf *conf)
{
    struct ares_addr_node nodes[RESOLV_CONF_SERVERS_MAX] = {0};
    for (size_t i = 0; i < conf->server_count; i++) {
        const union endpoint *server = &conf->servers[i];
        nodes[i].family = server->any.sa_family;
        nodes[i].next = i + 1 < conf->server_count ? &nodes[i + 1] : NULL;
        if (server->any.sa_family == AF_INET)
            nodes[i].addr.addr4 = server->v4.sin_addr;
        else
            memcpy(&nodes[i].addr.addr6, &server->v6.sin6_addr, sizeof(nodes[i].addr.addr6));
    }
    return ares_set_servers(ares, nodes);
}

/*
 * Opens a channel of c-ares. c-ares must not read resolv.conf itself, since it does not understand every form
 * of it.
 */
static int open_ares(struct dns_channel *channel, ares_channel *ares, const struct resolv_conf *conf,
                     const char *servers)
{
    char nothing[] = "/dev/null";
    struct ares_options options = {
        .timeout = TRY_MS,
        .tries = TRIES,
        .ndots = 1,
        .flags = conf->use_tcp ? ARES_FLAG_USEVC : 0,
        .sock_state_cb = on_socket_state,
        .sock_state_cb_data = channel,
        .resolvconf_path = nothing,
    };
    int mask = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_NDOTS | ARES_OPT_FLAGS | ARES_OPT_DOMAINS |
               ARES_OPT_SOCK_STATE_CB | ARES_OPT_RESOLVCONF;
    mask |= conf->rotate ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE;
    int status = ares_init_options(ares, &options, mask);
    if (status != ARES_SUCCESS) return status == ARES_ENOMEM ? UV_ENOMEM : UV_EIO;
    status = servers ? ares_set_servers_ports_csv(*ares, servers) : set_servers(*ares, conf);
    if (status != ARES_SUCCESS) ares_destroy(*ares);
    if (status == ARES_SUCCESS && has_zones(conf)) ares_set_socket_functions(*ares, &zone_functions, channel);
    return code_of(status);
}

static int save_sources(struct dns_channel *channel, ares_channel ares)
{
    struct ares_options options;
    int mask, status = ares_save_options(ares, &options, &mask);
    if (status != ARES_SUCCESS) return code_of(status);
    channel->sources = options.lookups;
    options.lookups = NULL;
    ares_destroy_options(&options);
    return channel->sources ? 0 : UV_ENOMEM;
}

static int open_channel(struct dns_channel *channel, const char *servers)
{
    ares_channel ares;
    int status = open_ares(channel, &ares, &channel->conf, servers);
    if (status < 0) return status;
    status = save_sources(channel, ares);
    if (status < 0)
        ares_destroy(ares);
    else
        channel->ares = ares;
    return status;
}

int dns_channel_open(struct dns_channel *channel)
{
    return channel->ares ? 0 : open_channel(channel, NULL);
}

int dns_channel_configure(struct dns_channel *channel, const struct resolv_conf *conf)
{
    ares_channel old = channel->ares, ares = NULL;
    int status = old ? open_ares(channel, &ares, conf, NULL) : 0;
    if (status < 0) return status;
    channel->ares = ares;
    if (old) ares_destroy(old);
    channel->conf = *conf;
    return 0;
}

/* --- Questions --- */

static enum dns_outcome outcome_of(int status)
{
    switch (status) {
    case ARES_SUCCESS:
        return DNS_FOUND;
    case ARES_ENOTFOUND:
    case ARES_EBADNAME:
        return DNS_NOT_FOUND;
    case ARES_ENODATA:
        return DNS_NO_RECORDS;
    case ARES_ETIMEOUT:
        return DNS_SILENT;
    case ARES_EBADRESP:
        return DNS_MALFORMED;
    case ARES_ENOMEM:
        return DNS_NO_MEMORY;
    case ARES_EDESTRUCTION:
    case ARES_ECANCELLED:
        return DNS_ABORTED;
    default:
        /* c-ares skips servers that fail or refuse. If none is left, it reports ARES_ECONNREFUSED. */
        return DNS_NO_SERVER;
    }
}

static void on_message(void *context, int status, int timeouts, unsigned char *message, int len)
{
    struct question question = *(struct question *) context;
    enum dns_outcome outcome = outcome_of(status);
    bool found = outcome == DNS_FOUND;
    (void) timeouts;
    free(context);
    if (--question.channel->pending == 0) uv_timer_stop(&question.channel->tick);
    question.on_message(question.context, outcome, found ? message : NULL, found ? (size_t) len : 0);
}

static void on_tick(uv_timer_t *tick)
{
    struct dns_channel *channel = container_of(tick, struct dns_channel, tick);
    ares_process_fd(channel->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

void dns_channel_ask(struct dns_channel *channel, const char *name, int type, dns_channel_fn on_answer,
                     void *context)
{
    struct question *question = malloc(sizeof(*question));
    if (!question) {
        on_answer(context, DNS_NO_MEMORY, NULL, 0);
        return;
    }
    *question = (struct question){channel, on_answer, context};
    if (channel->pending++ == 0) uv_timer_start(&channel->tick, on_tick, TICK_MS, TICK_MS);
    ares_query(channel->ares, name, CLASS_IN, type, on_message, question);
}

size_t dns_channel_hosts(struct dns_channel *channel, const char *name, int family, union endpoint *endpoints,
                         size_t size)
{
    struct hostent *host = NULL;
    size_t count = 0;
    if (ares_gethostbyname_file(channel->ares, name, family, &host) != ARES_SUCCESS) return 0;
    for (char **bytes = host->h_addr_list; *bytes && count < size && host->h_addrtype == family; bytes++) {
        union endpoint *endpoint = &endpoints[count++];
        memset(endpoint, 0, sizeof(*endpoint));
        endpoint->any.sa_family = (sa_family_t) family;
        if (family == AF_INET)
            memcpy(&endpoint->v4.sin_addr, *bytes, sizeof(endpoint->v4.sin_addr));
        else
            memcpy(&endpoint->v6.sin6_addr, *bytes, sizeof(endpoint->v6.sin6_addr));
    }
    ares_free_hostent(host);
    return count;
}

const char *dns_channel_sources(const struct dns_channel *channel)
{
    return channel->sources;
}

/* --- Life --- */

int dns_channel_new(struct dns_channel **result, uv_loop_t *loop, const struct resolv_conf *conf,
                    const char *servers)
{
    struct dns_channel *channel = calloc(1, sizeof(*channel));
    if (!channel) return UV_ENOMEM;
    channel->loop = loop;
    channel->conf = *conf;
    list_init(&channel->watchers);
    ares_library_init(ARES_LIB_INIT_ALL);
    int status = servers ? open_channel(channel, servers) : 0;
    if (status < 0) {
        ares_library_cleanup();
        free(channel);
        return status;
    }
    uv_timer_init(loop, &channel->tick);
    closing_count(&channel->parts);
    *result = channel;
    return 0;
}

static void on_closed(void *context)
{
    struct dns_channel *channel = context;
    struct closing *owner = channel->owner;
    ares_free_string(channel->sources);
    free(channel);
    ares_library_cleanup();
    closing_done(owner);
}

void dns_channel_close(struct dns_channel *channel, struct closing *closing)
{
    channel->owner = closing;
    if (channel->ares) ares_destroy(channel->ares);
    closing_close(&channel->parts, (uv_handle_t *) &channel->tick);
    closing_begin(&channel->parts, on_closed, channel);
}
