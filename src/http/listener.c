/*
 * listener_open -> on_waiting* -> listener_close -> on_handle_closed. Opening is synchronous: it happens
 * once, at the start, when nothing else runs.
 */
#include "http/listener.h"

#include "base/container.h"
#include "net/own_listeners.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

/* Number of connections that the kernel may queue. The kernel may lower it. */
#define BACKLOG 4096

void listener_init(struct listener *listener, uv_loop_t *loop, struct work_budget *work,
                   listener_fn on_connection, listener_failed_fn on_failed, void *context)
{
    *listener = (struct listener){.loop = loop,
                                  .work = work,
                                  .on_connection = on_connection,
                                  .on_failed = on_failed,
                                  .context = context};
    link_init(&listener->link);
    work_budget_ticket_init(&listener->ticket);
}

/* --- The address --- */

/*
 * Returns true if the system has IPv6. Without IPv6 in the kernel, the socket cannot be created. If IPv6 is
 * disabled, it cannot be bound.
 */
static bool has_ipv6(void)
{
    struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_ANY_INIT};
    int descriptor = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return false;
    bool bound = bind(descriptor, (struct sockaddr *) &any, sizeof(any)) == 0;
    close(descriptor);
    return bound;
}

/* Finds the first IPv4 address of a host name, as Go programs do, or else its first address. */
static int resolve(uv_loop_t *loop, const char *name, union endpoint *endpoint)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    uv_getaddrinfo_t lookup;
    /* A minimal container has no /etc/hosts to resolve this name. */
    if (strcmp(name, "localhost") == 0) return uv_ip4_addr("127.0.0.1", 0, &endpoint->v4);
    int result = uv_getaddrinfo(loop, &lookup, NULL, name, NULL, &hints);
    if (result < 0) return result;
    const struct addrinfo *found = lookup.addrinfo;
    for (const struct addrinfo *at = found; at; at = at->ai_next) {
        if (at->ai_family != AF_INET) continue;
        found = at;
        break;
    }
    memcpy(endpoint, found->ai_addr, found->ai_addrlen);
    uv_freeaddrinfo(lookup.addrinfo);
    return 0;
}

static int find_endpoint(uv_loop_t *loop, const struct address *address, union endpoint *endpoint)
{
    if (address_endpoint(address, endpoint)) return 0;
    if (address->host[0] == '\0') {
        /* An address of zeros means every interface. */
        endpoint->any.sa_family = has_ipv6() ? AF_INET6 : AF_INET;
    } else {
        int result = resolve(loop, address->host, endpoint);
        if (result < 0) return result;
    }
    endpoint_set_port(endpoint, address->port);
    return 0;
}

/*
 * Removes the socket file of a server that died, because the file would prevent binding. Removes only a
 * socket that refuses connections. For anything else, bind fails: the address is in use.
 */
static void remove_stale(const union endpoint *endpoint)
{
    const char *path = endpoint->local.sun_path;
    struct stat status;
    if (lstat(path, &status) < 0 || !S_ISSOCK(status.st_mode)) return;
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    if (connect(descriptor, &endpoint->any, sizeof(endpoint->local)) < 0 && errno == ECONNREFUSED) {
        unlink(path);
    }
    close(descriptor);
}

/* --- Listening --- */

static void on_turn(struct work_budget_ticket *ticket)
{
    struct listener *listener = container_of(ticket, struct listener, ticket);
    listener->on_connection(listener);
}

/* Runs for each waiting connection. libuv repeats the call until one connection is not accepted inside it. */
static void on_waiting(uv_stream_t *stream, int status)
{
    struct listener *listener = container_of(stream, struct listener, stream);
    if (status < 0)
        listener->on_failed(listener, status);
    else
        work_budget_do(listener->work, &listener->ticket, false, on_turn);
}

static int make_handle(struct listener *listener, bool as_pipe)
{
    return as_pipe ? uv_pipe_init(listener->loop, &listener->pipe, 0)
                   : uv_tcp_init(listener->loop, &listener->tcp);
}

/* Finds the address on which the socket listens, with its actual port. */
static bool find_name(const struct listener *listener, union endpoint *endpoint)
{
    uv_os_fd_t descriptor;
    memset(endpoint, 0, sizeof(*endpoint));

    /* One byte is left free, so that the longest path still ends with a NUL. */
    socklen_t len = sizeof(*endpoint) - 1;
    return uv_fileno(&listener->handle, &descriptor) == 0 &&
           getsockname(descriptor, &endpoint->any, &len) == 0;
}

static int begin_to_listen(struct listener *listener)
{
    union endpoint endpoint;
    int result = uv_listen(&listener->stream, BACKLOG, on_waiting);
    if (result == 0 && find_name(listener, &endpoint) && !own_listeners_add(&endpoint)) result = UV_ENOMEM;
    return result;
}

int listener_open(struct listener *listener, const struct address *address)
{
    union endpoint endpoint;
    int result = find_endpoint(listener->loop, address, &endpoint);
    if (result < 0) return result;
    bool local = endpoint.any.sa_family == AF_UNIX;
    result = make_handle(listener, local);
    if (result < 0) return result;
    if (local) {
        remove_stale(&endpoint);
        result = uv_pipe_bind(&listener->pipe, endpoint.local.sun_path);
    } else {
        /* Without UV_TCP_IPV6ONLY libuv lets an IPv6 socket take IPv4 as well. */
        result = uv_tcp_bind(&listener->tcp, &endpoint.any, 0);
    }
    if (result < 0) return result;
    return begin_to_listen(listener);
}

int listener_open_descriptor(struct listener *listener, int descriptor)
{
    struct sockaddr_storage name = {0};
    socklen_t len = sizeof(name);
    int result = 0;
    if (getsockname(descriptor, (struct sockaddr *) &name, &len) < 0) result = -errno;
    /*
     * libuv has no own handle type for sockets of virtual machines; a pipe handle accepts any stream socket.
     */
    bool ip = name.ss_family == AF_INET || name.ss_family == AF_INET6;
    if (result == 0) result = make_handle(listener, !ip);
    if (result == 0) {
        result = !ip ? uv_pipe_open(&listener->pipe, descriptor) : uv_tcp_open(&listener->tcp, descriptor);
    }
    if (result < 0) {
        close(descriptor);
        return result;
    }
    return begin_to_listen(listener);
}

static void on_handle_closed(uv_handle_t *handle)
{
    struct listener *listener = container_of(handle, struct listener, handle);
    listener->on_close(listener);
}

void listener_close(struct listener *listener, listener_fn on_close)
{
    union endpoint endpoint;
    listener->on_close = on_close;
    if (find_name(listener, &endpoint)) own_listeners_remove(&endpoint);
    work_budget_leave(&listener->ticket);

    /*
     * A listener that failed early has no handle yet. It gets an unused pipe handle, so that on_close still
     * runs from the loop.
     */
    if (listener->handle.type == UV_UNKNOWN_HANDLE) uv_pipe_init(listener->loop, &listener->pipe, 0);
    uv_close(&listener->handle, on_handle_closed);
}

void listener_append_name(const struct listener *listener, struct buffer *out)
{
    union endpoint endpoint;
    if (find_name(listener, &endpoint)) endpoint_format(&endpoint, out);
}
