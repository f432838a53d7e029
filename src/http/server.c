/*
 * server_listen -> on_connection -> connection_accept. The rest of a connection's life is in connection.c.
 *
 * server_close closes the connections that wait for a request. The other connections may finish their answer.
 * Until they have, the listeners stay open, and answer_stopping tells everybody who comes that the exporter
 * is not ready. Then on_grace_over closes the listeners and tells 503 to clients whose handler still works,
 * and on_last_words_over closes all connections. Each freed connection calls on_gone. After the last one the
 * listeners and timers are closed. The callback of the last handle frees the server and calls on_close.
 */
#include "http/server.h"

#include "base/container.h"
#include "base/list.h"
#include "base/log.h"
#include "http/connection.h"
#include "http/connection_pool.h"
#include "http/listener.h"

#include <assert.h>
#include <stdlib.h>

#define SWEEP_MS 500

/* Time for the last 503 answers to reach their clients. */
#define LAST_WORDS_MS 500

#define STOPPING "the exporter is stopping"

struct server {
    struct connection_pool pool;
    struct list listeners;
    unsigned listening; /* number of listeners in the list above */
    uv_timer_t sweep;   /* runs only while there are connections, so that an idle process sleeps */
    uv_timer_t grace;
    unsigned handles; /* listeners, timers and the work budget's handle that are not closed yet */
    bool closing;
    server_close_fn on_close;
    void *close_context;
};

static void on_gone(struct connection_pool *pool);

int server_new(struct server **server, uv_loop_t *loop, const struct server_limits *limits,
               server_handler_fn handler, void *context)
{
    struct server *new = calloc(1, sizeof(*new));
    if (!new) return UV_ENOMEM;
    connection_pool_init(&new->pool, loop, limits);
    new->pool.handler = handler;
    new->pool.handler_context = context;
    new->pool.on_gone = on_gone;
    list_init(&new->listeners);
    uv_timer_init(loop, &new->sweep);
    uv_timer_init(loop, &new->grace);
    new->handles = 3;
    *server = new;
    return 0;
}

struct server_counts server_counts(const struct server *server)
{
    struct server_counts counts = server->pool.counts;
    counts.open = server->pool.open_count;
    return counts;
}

void server_limit_connections(struct server *server, unsigned max_connections)
{
    server->pool.limits.max_connections = max_connections;
}

void server_observe(struct server *server, server_observer_fn observer, void *context)
{
    server->pool.exchanges.observer = observer;
    server->pool.exchanges.observer_context = context;
}

void server_secure(struct server *server, server_secure_fn secure, void *context)
{
    server->pool.secure = secure;
    server->pool.secure_context = context;
}

/* --- Connections --- */

static void on_sweep(uv_timer_t *timer);

static void on_connection(struct listener *listener)
{
    struct server *server = listener->context;
    if (!uv_is_active((uv_handle_t *) &server->sweep)) {
        uv_timer_start(&server->sweep, on_sweep, SWEEP_MS, SWEEP_MS);
    }
    int result = connection_accept(&server->pool, &listener->stream, listener->number);
    if (result < 0 && !listener->stalled) server->pool.counts.failed++;
    listener->stalled = result == UV_ENOMEM;
}

/* The usual reason is a lack of file descriptors, so a connection is closed for the next one. */
static void on_accept_failed(struct listener *listener, int status)
{
    struct server *server = listener->context;
    server->pool.counts.failed++;
    connection_pool_free_descriptor(&server->pool);
    log_line_limited(LOG_WARN, "cannot accept an HTTP connection, closing an idle one to make room",
                     LOG_FIELD("err", uv_strerror(status)));
}

static void on_sweep(uv_timer_t *timer)
{
    struct server *server = container_of(timer, struct server, sweep);
    bool stalled = false;
    connection_pool_sweep(&server->pool);
    list_each (&server->listeners, at, after) {
        struct listener *listener = container_of(at, struct listener, link);
        if (listener->stalled && !server->closing) on_connection(listener);
        stalled |= listener->stalled;
    }
    if (server->pool.open_count == 0 && !stalled) uv_timer_stop(timer);
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
    listener_init(listener, server->pool.loop, &server->pool.exchanges.work, on_connection, on_accept_failed,
                  server);
    server->handles++;
    return listener;
}

/* Adds a listener to the server. If `result` is a failure, the listener is closed instead and freed later. */
static int keep(struct server *server, struct listener *listener, int result)
{
    if (result < 0)
        listener_close(listener, on_listener_closed);
    else
        listener->number = server->listening++;
    if (result == 0) list_append(&server->listeners, &listener->link);
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
    listener->handed_over = true;
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
    connection_pool_deinit(&server->pool);
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

static void on_work_closed(uv_handle_t *handle)
{
    on_handle_gone(container_of(handle, struct server, pool.exchanges.work.turn));
}

static void close_handles_if_over(struct server *server)
{
    if (!server->closing || server->pool.allocated > 0) return;
    if (uv_is_closing((uv_handle_t *) &server->sweep)) return;
    uv_close((uv_handle_t *) &server->sweep, on_sweep_closed);
    uv_close((uv_handle_t *) &server->grace, on_grace_closed);
    work_budget_close(&server->pool.exchanges.work, on_work_closed);
}

/*
 * Closes the listeners, or only those that were handed over. Calling it again is harmless.
 */
static void close_listeners(struct server *server, bool handed_over)
{
    list_each (&server->listeners, at, after) {
        struct listener *listener = container_of(at, struct listener, link);
        if ((handed_over && !listener->handed_over) || uv_is_closing(&listener->handle)) continue;
        listener_close(listener, on_listener_closed);
    }
}

static void on_gone(struct connection_pool *pool)
{
    struct server *server = container_of(pool, struct server, pool);
    if (server->closing && pool->allocated == 0) close_listeners(server, false);
    close_handles_if_over(server);
}

/* Stands in for the handler while the last answers are sent. */
static void answer_stopping(void *context, struct exchange *exchange, const struct request *request)
{
    struct response response = {
        .status = 503, .content_type = "text/plain; charset=utf-8", .retry_after = true};
    (void) context, (void) request;
    exchange->keep_alive = false;
    exchange_respond(exchange, &response, SLICE(STOPPING "\n"));
}

static void on_last_words_over(uv_timer_t *timer)
{
    struct server *server = container_of(timer, struct server, grace);
    list_each (&server->pool.open, at, after) {
        connection_close(container_of(at, struct connection, link));
    }
}

static void on_grace_over(uv_timer_t *timer)
{
    struct server *server = container_of(timer, struct server, grace);
    uv_timer_start(timer, on_last_words_over, LAST_WORDS_MS, 0);
    close_listeners(server, false);
    list_each (&server->pool.open, at, after) {
        connection_turn_away(container_of(at, struct connection, link), STOPPING);
    }
}

void server_close(struct server *server, unsigned grace_ms, server_close_fn on_close, void *context)
{
    assert(!server->closing);
    server->closing = true;
    server->on_close = on_close;
    server->close_context = context;
    server->pool.handler = answer_stopping;
    list_each (&server->pool.open, at, after) {
        connection_finish(container_of(at, struct connection, link));
    }
    /* Whoever connects to a socket that was handed over is answered by the next process that gets it. */
    close_listeners(server, server->pool.open_count > 0);
    uv_timer_start(&server->grace, on_grace_over, grace_ms, 0);
    close_handles_if_over(server);
}
