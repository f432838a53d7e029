/*
 * server_listen -> on_connection -> connection_accept; the rest of a connection's life is in connection.c.
 *
 * server_close closes the listeners and the connections that wait for a request; each one that is gone, the
 * last answer's included, calls on_gone. When none is left, or on_grace_over has closed the rest, the timers
 * are closed too. The last handle's callback frees the server and says so.
 */
#include "http/server.h"

#include "base/container.h"
#include "base/list.h"
#include "http/connection.h"
#include "http/listener.h"

#include <assert.h>
#include <stdlib.h>

#define SWEEP_MS 500

struct server {
    struct connections connections;
    struct list listeners;
    uint64_t accepted, rejected;
    uv_timer_t sweep; /* runs while there are connections: an idle process sleeps */
    uv_timer_t grace;
    unsigned handles; /* listeners and timers that are not closed yet */
    bool closing;
    server_close_fn on_close;
    void *close_context;
};

static void on_gone(struct connections *connections);

int server_new(struct server **server, uv_loop_t *loop, const struct server_limits *limits,
               server_handler_fn handler, void *context)
{
    struct server *new = calloc(1, sizeof(*new));
    if (!new) return UV_ENOMEM;
    new->connections = (struct connections){
        .loop = loop,
        .limits = *limits,
        .handler = handler,
        .handler_context = context,
        .on_gone = on_gone,
    };
    list_init(&new->connections.open);
    list_init(&new->listeners);
    uv_timer_init(loop, &new->sweep);
    uv_timer_init(loop, &new->grace);
    new->handles = 2;
    *server = new;
    return 0;
}

struct server_counts server_counts(const struct server *server)
{
    return (struct server_counts){
        .open = server->connections.open_count,
        .refused = server->connections.refused,
        .accepted = server->accepted,
        .rejected = server->rejected,
    };
}

void server_observe(struct server *server, server_observer_fn observer, void *context)
{
    server->connections.observer = (struct exchange_observer){observer, context};
}

/* --- Connections --- */

/* Sorted by nothing, so all are looked at; this only happens when the server is full. */
static struct connection *find_longest_spare(struct connections *connections)
{
    struct connection *longest = NULL;
    list_each (&connections->open, at, after) {
        struct connection *connection = container_of(at, struct connection, link);
        if (!connection_is_spare(connection)) continue;
        if (!longest || connection->since_ms < longest->since_ms) longest = connection;
    }
    return longest;
}

static bool make_room(struct connections *connections)
{
    if (connections->open_count - connections->rejecting < connections->limits.max_connections) return true;
    struct connection *spare = find_longest_spare(connections);
    if (spare) connection_close(spare);
    return spare != NULL;
}

static void on_sweep(uv_timer_t *timer);

static void on_connection(struct listener *listener)
{
    struct server *server = listener->context;
    struct connections *connections = &server->connections;
    bool reject = !make_room(connections);
    if (!uv_is_active((uv_handle_t *) &server->sweep)) {
        uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
    int result = connection_accept(connections, &listener->stream, reject);
    listener->stalled = result == UV_ENOMEM;
    if (result < 0) return;
    server->accepted++;
    if (reject) server->rejected++;
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = container_of(timer, struct server, sweep);
    bool stalled = false;
    list_each (&server->connections.open, at, after) {
        connection_sweep(container_of(at, struct connection, link));
    }
    list_each (&server->listeners, at, after) {
        struct listener *listener = container_of(at, struct listener, link);
        if (listener->stalled && !server->closing) on_connection(listener);
        stalled |= listener->stalled;
    }
    if (server->connections.open_count == 0 && !stalled) uv_timer_stop(timer);
}

/* --- Listeners --- */

static void on_handle_gone(struct server *server);

static void on_listener_closed(struct listener *listener)
{
    struct server *server = listener->context;
    link_remove(&listener->link);
    free(listener);
    on_handle_gone(server);
}

static struct listener *listener_new(struct server *server)
{
    struct listener *listener = malloc(sizeof(*listener));
    if (!listener) return NULL;
    listener_init(listener, server->connections.loop, on_connection, server);
    server->handles++;
    return listener;
}

/* A listener that does not listen is no part of the server; its memory goes when its handle is closed. */
static int keep(struct server *server, struct listener *listener, int result)
{
    if (result < 0)
        listener_close(listener, on_listener_closed);
    else
        list_append(&server->listeners, &listener->link);
    return result;
}

int server_listen(struct server *server, const struct address *address)
{
    assert(!server->closing);
    struct listener *listener = listener_new(server);
    if (!listener) return UV_ENOMEM;
    return keep(server, listener, listener_open(listener, address));
}

int server_listen_descriptor(struct server *server, int descriptor)
{
    assert(!server->closing);
    struct listener *listener = listener_new(server);
    if (!listener) return UV_ENOMEM;
    return keep(server, listener, listener_open_descriptor(listener, descriptor));
}

bool server_listener_name(const struct server *server, unsigned n, struct buffer *out)
{
    const struct link *head = &server->listeners.head, *at = head->next;
    while (at != head && n-- > 0) at = at->next;
    if (at == head) return false;
    listener_append_name(container_of(at, struct listener, link), out);
    return true;
}

/* --- The end --- */

static void on_handle_gone(struct server *server)
{
    if (--server->handles > 0) return;
    server_close_fn on_close = server->on_close;
    void *context = server->close_context;
    free(server);
    on_close(context);
}

static void on_sweep_closed(uv_handle_t *handle)
{
    on_handle_gone(container_of(handle, struct server, sweep));
}

static void on_grace_closed(uv_handle_t *handle)
{
    on_handle_gone(container_of(handle, struct server, grace));
}

static void close_timers_if_over(struct server *server)
{
    if (!server->closing || server->connections.allocated > 0) return;
    if (uv_is_closing((uv_handle_t *) &server->sweep)) return;
    uv_close((uv_handle_t *) &server->sweep, on_sweep_closed);
    uv_close((uv_handle_t *) &server->grace, on_grace_closed);
}

static void on_gone(struct connections *connections)
{
    close_timers_if_over(container_of(connections, struct server, connections));
}

static void on_grace_over(uv_timer_t *timer)
{
    struct server *server = container_of(timer, struct server, grace);
    list_each (&server->connections.open, at, after) {
        connection_close(container_of(at, struct connection, link));
    }
}

void server_close(struct server *server, unsigned grace_ms, server_close_fn on_close, void *context)
{
    assert(!server->closing);
    server->closing = true;
    server->on_close = on_close;
    server->close_context = context;
    list_each (&server->listeners, at, after) {
        listener_close(container_of(at, struct listener, link), on_listener_closed);
    }
    list_each (&server->connections.open, at, after) {
        connection_finish(container_of(at, struct connection, link));
    }
    uv_timer_start(&server->grace, on_grace_over, grace_ms, 0);
    close_timers_if_over(server);
}
