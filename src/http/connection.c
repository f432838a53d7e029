/*
 * The happy path: connection_accept -> on_read* -> look -> the handler -> on_exchange_end -> look -> ...
 * -> linger -> on_drained* -> connection_close -> on_closed.
 *
 * What can go wrong: the head is bad or late (refuse: an answer, then linger); the client ends or breaks
 * between two requests (close, nothing is owed); it breaks or stops reading while it is answered (the
 * exchange says so, or the sweep finds it); the server stops (connection_finish, then connection_close).
 *
 * Lingering: closing a socket while bytes from the client are unread makes the kernel send a reset, and that
 * can overtake and destroy the answer (RFC 9112, 9.6). So we close our direction first and throw away what
 * comes until the client closes its own, for a bounded time and amount.
 */
#include "http/connection.h"

#include "base/container.h"
#include "base/log.h"

#include <assert.h>
#include <stdlib.h>

#define LINGER_MS    2000
#define LINGER_BYTES (1024 * 1024)

/* So many clients at once are told that there are too many; more than these are closed without a word. */
#define REJECTING_MAX 64

static void on_closed(struct stream *stream);
static void on_exchange_end(struct exchange *exchange, int status);

/* --- The end --- */

/* The thread pool or a handler may still hold the exchange when the stream is closed, and the other way
 * fan_out.
 */
static void free_if_over(struct connection *connection)
{
    struct connections *shared = connection->shared;
    if (!connection->closed || exchange_is_busy(&connection->exchange)) return;
    request_reader_reset(&connection->reader);
    free(connection);
    shared->allocated--;
    shared->on_gone(shared);
}

static void on_closed(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    connection->closed = true;
    free_if_over(connection);
}

void connection_close(struct connection *connection)
{
    assert(connection->phase != CONNECTION_CLOSING);
    connection->phase = CONNECTION_CLOSING;
    link_remove(&connection->link);
    connection->shared->open_count--;
    if (connection->rejected) connection->shared->rejecting--;
    stream_close(&connection->stream, on_closed);
    exchange_cancel(&connection->exchange);
}

static void enter(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->since_ms = uv_now(connection->shared->loop);
}

static void stop_reading(struct connection *connection)
{
    stream_read_stop(&connection->stream);
    connection->reading = false;
}

/* The head buffer is of no more use, so it takes the waste. */
static uv_buf_t on_lend_waste(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    return uv_buf_init(connection->head, REQUEST_HEAD_MAX);
}

static void on_drained(struct stream *stream, ssize_t n)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    if (n > 0) connection->drained += (size_t) n;
    if (n < 0 || connection->drained > LINGER_BYTES) connection_close(connection);
}

static void linger(struct connection *connection)
{
    enter(connection, CONNECTION_LINGERING);
    int result = stream_shutdown(&connection->stream);
    if (result == 0) result = stream_read(&connection->stream, on_lend_waste, on_drained);
    if (result < 0) connection_close(connection);
}

/* --- Requests --- */

static void refuse(struct connection *connection, int status, const char *why)
{
    struct request request = {.method = METHOD_OTHER, .minor = 1};
    struct response response = {.status = status, .content_type = "text/plain; charset=utf-8"};
    struct buffer body;
    log_line_limited(LOG_DEBUG, "request refused", LOG_FIELD("err", why));
    if (!connection->rejected) connection->shared->refused++;
    response.retry_after = status == 503;
    buffer_init(&body, 1024);
    buffer_printf(&body, "%s\n", why);

    enter(connection, CONNECTION_ANSWERING);
    exchange_begin(&connection->exchange, &request);
    exchange_respond(&connection->exchange, &response, buffer_slice(&body));
    buffer_deinit(&body);
}

static void handle(struct connection *connection, const struct request *request)
{
    struct connections *shared = connection->shared;
    struct exchange *exchange = &connection->exchange;
    enter(connection, CONNECTION_ANSWERING);
    exchange_begin(exchange, request);
    shared->handler(shared->handler_context, exchange, &exchange->request);
}

static uv_buf_t on_lend(struct stream *stream);
static void on_read(struct stream *stream, ssize_t n);

static void read_more(struct connection *connection)
{
    if (connection->reading) return;
    int result = stream_read(&connection->stream, on_lend, on_read);
    connection->reading = result == 0;
    if (result < 0) connection_close(connection);
}

/* Looks at what has arrived. Never comes back here from inside: an answer ends on another turn of the loop.
 */
static void look(struct connection *connection)
{
    struct request request;
    struct request_refusal refusal;
    struct slice bytes = {connection->head, connection->len};
    switch (request_read(&connection->reader, &request, bytes, &connection->used, &refusal)) {
    case REQUEST_MORE:
        read_more(connection);
        break;
    case REQUEST_DONE:
        stop_reading(connection);
        handle(connection, &request);
        break;
    case REQUEST_REFUSED:
        stop_reading(connection);
        refuse(connection, refusal.status, refusal.why);
        break;
    }
}

/* There is room: a full buffer without a whole head has been refused. */
static uv_buf_t on_lend(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    size_t room = REQUEST_HEAD_MAX - connection->len;
    return uv_buf_init(connection->head + connection->len, (unsigned) room);
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    if (n < 0) {
        connection_close(connection);
        return;
    }
    if (connection->len == 0) enter(connection, CONNECTION_READING); /* the head's time runs from here */
    connection->len += (size_t) n;
    look(connection);
}

/* Pipelined requests move to the front only now: the last one's slices had to stay good. */
static void on_exchange_end(struct exchange *exchange, int status)
{
    struct connection *connection = container_of(exchange, struct connection, exchange);
    if (connection->phase == CONNECTION_CLOSING) {
        free_if_over(connection);
    } else if (status < 0) {
        connection_close(connection);
    } else if (!exchange->keep_alive) {
        linger(connection);
    } else {
        request_reader_reset(&connection->reader);
        connection->len -= connection->used;
        memmove(connection->head, connection->head + connection->used, connection->len);
        connection->used = 0;
        connection->served = true;
        enter(connection, CONNECTION_READING);
        look(connection);
    }
}

/* --- The beginning --- */

static struct connection *connection_new(struct connections *shared)
{
    struct connection *connection = malloc(sizeof(*connection) + REQUEST_HEAD_MAX);
    if (!connection) return NULL;
    *connection = (struct connection){.shared = shared};
    request_reader_init(&connection->reader);
    stream_init(&connection->stream, shared->loop);
    exchange_init(&connection->exchange, &connection->stream, &shared->observer, on_exchange_end);
    enter(connection, CONNECTION_READING);
    list_append(&shared->open, &connection->link);
    shared->open_count++;
    shared->allocated++;
    return connection;
}

int connection_accept(struct connections *shared, uv_stream_t *listener, bool reject)
{
    struct connection *connection = connection_new(shared);
    if (!connection) return UV_ENOMEM;
    int result = stream_accept(&connection->stream, listener);
    if (result < 0 || (reject && shared->rejecting == REJECTING_MAX)) {
        connection_close(connection);
    } else if (reject) {
        connection->rejected = true;
        shared->rejecting++;
        refuse(connection, 503, "too many connections, see --web.max-connections");
    } else {
        read_more(connection);
    }
    return result;
}

/* --- From outside --- */

void connection_finish(struct connection *connection)
{
    connection->exchange.keep_alive = false;
    if (connection->phase == CONNECTION_READING) connection_close(connection);
}

void connection_sweep(struct connection *connection)
{
    const struct server_limits *limits = &connection->shared->limits;
    uint64_t now = uv_now(connection->shared->loop), lasted = now - connection->since_ms;
    switch (connection->phase) {
    case CONNECTION_READING:
        if (connection->len && lasted >= limits->head_timeout_ms) {
            stop_reading(connection);
            refuse(connection, 408, "the request head did not arrive in time");
        } else if (connection->len == 0 && lasted >= limits->idle_timeout_ms) {
            connection_close(connection);
        }
        break;
    case CONNECTION_ANSWERING:
        if (connection->stream.writing &&
            now - connection->exchange.write_started_ms >= limits->idle_timeout_ms) {
            connection_close(connection);
        }
        break;
    case CONNECTION_LINGERING:
        if (lasted >= LINGER_MS) connection_close(connection);
        break;
    case CONNECTION_CLOSING:
        break;
    }
}

bool connection_is_spare(const struct connection *connection)
{
    const struct connections *shared = connection->shared;
    return connection->phase == CONNECTION_READING && connection->len == 0 &&
           (connection->served ||
            uv_now(shared->loop) - connection->since_ms >= shared->limits.head_timeout_ms);
}
