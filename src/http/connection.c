/*
 * The normal path: connection_accept [-> on_secured] -> on_read* -> look_at_bytes [-> on_turn] -> the handler
 * -> on_exchange_end -> look_at_bytes -> ... -> linger -> on_drained* -> connection_close -> on_closed.
 *
 * Failures: the TLS handshake fails (the client gets an alert, then linger); the head is bad or late
 * (refuse_request, then linger); the client closes between two requests (close); the connection breaks, or
 * the client stops reading its answer (the exchange or the sweep notices it, close); another client needs the
 * place (see connection_pool.h); the server stops (connection_finish, then connection_turn_away, then
 * connection_close).
 *
 * Lingering: if a socket is closed while it has unread bytes, the kernel sends a reset. The reset can
 * overtake and destroy the answer (RFC 9112, 9.6). So the connection first shuts down its sending direction.
 * It then discards what arrives until the client closes, up to a limit of time and bytes.
 */
#include "http/connection.h"

#include "base/container.h"
#include "base/log.h"
#include "net/tls.h"

#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>

#define LINGER_MS    2000
#define LINGER_BYTES (1024 * 1024)

/*
 * Most clients that are answered with 503 at once while the server is full; at most an eighth of
 * max_connections plus 8. Further clients are closed without an answer.
 */
#define REJECTING_MAX 64

/* A new client that does not send within this fraction of the head's time limit may be closed for another. */
#define FIRST_WORD 8

#define UNSENT_MAX (128 * 1024)

static void on_closed(struct stream *stream);
static void on_exchange_end(struct exchange *exchange, int status);

/* --- The end --- */

/* Frees the connection when its stream is closed and the handler has ended, in whatever order. */
static void free_if_over(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    if (!connection->closed || exchange_is_busy(&connection->exchange)) return;
    request_reader_reset(&connection->reader);
    explicit_bzero(connection->head, connection->len);
    if (connection->peer) peers_leave(&pool->peers, connection->peer);
    free(connection);
    pool->allocated--;
    pool->on_gone(pool);
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
    connection->pool->open_count--;
    if (connection->rejected) connection->pool->rejecting--;
    stream_close(&connection->stream, on_closed);
    exchange_cancel(&connection->exchange);
}

static void enter(struct connection *connection, enum connection_phase phase)
{
    connection->phase = phase;
    connection->since_ms = uv_now(connection->pool->loop);
}

static void stop_reading(struct connection *connection)
{
    stream_read_stop(&connection->stream);
    connection->reading = false;
}

/* The client sent another request or closed without a reset. In both cases it has read the body. */
static void note_reader(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    if (connection->sent_body) peers_note_reader(&pool->peers, connection->peer, uv_now(pool->loop));
    connection->sent_body = false;
}

/* Discarded bytes go to the head buffer, which is not needed any more. */
static uv_buf_t on_lend_waste(struct stream *stream)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    return uv_buf_init(connection->head, REQUEST_HEAD_MAX);
}

static void on_drained(struct stream *stream, ssize_t n)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    if (n > 0) connection->drained += (size_t) n;
    if (n == UV_EOF) note_reader(connection);
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

/* Answers with one line of text instead of the handler. */
static void respond_line(struct connection *connection, int status, const char *why)
{
    struct response response = {
        .status = status, .content_type = "text/plain; charset=utf-8", .retry_after = status == 503};
    struct buffer body;
    buffer_init(&body, 1024);
    buffer_printf(&body, "%s\n", why);
    exchange_respond(&connection->exchange, &response, buffer_slice(&body));
    buffer_deinit(&body);
}

/* Answers a request that the handler does not see. */
static void refuse_request(struct connection *connection, int status, const char *why)
{
    struct request request = {.method = METHOD_OTHER, .minor = 1};
    log_line_limited(LOG_DEBUG, "request refused", LOG_FIELD("err", why));
    if (!connection->rejected) connection->pool->counts.refused++;
    enter(connection, CONNECTION_ANSWERING);
    exchange_begin(&connection->exchange, &request, connection->peer);
    respond_line(connection, status, why);
}

static void on_turn(struct work_budget_ticket *ticket)
{
    struct exchange *exchange = container_of(ticket, struct exchange, ticket);
    struct connection_pool *pool = container_of(exchange, struct connection, exchange)->pool;
    pool->handler(pool->handler_context, exchange, &exchange->request);
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

/* Begins the request at the start of `head`. Does not recurse: an answer ends in a later turn of the loop. */
static void look_at_bytes(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    struct exchange *exchange = &connection->exchange;
    struct request request;
    struct request_refusal refusal;
    struct slice bytes = {connection->head, connection->len};
    switch (request_read(&connection->reader, &request, bytes, &connection->used, &refusal)) {
    case REQUEST_MORE:
        read_more(connection);
        break;
    case REQUEST_DONE:
        stop_reading(connection);
        enter(connection, CONNECTION_ANSWERING);
        note_reader(connection);
        exchange_begin(exchange, &request, connection->peer);
        work_budget_do(&pool->exchanges.work, &exchange->ticket, peer_is_regular(connection->peer), on_turn);
        break;
    case REQUEST_REFUSED:
        stop_reading(connection);
        refuse_request(connection, refusal.status, refusal.why);
        break;
    }
}

/* Returns the free part of `head`, which is not empty: a full buffer without a complete head is refused. */
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
        if (n == UV_EOF) note_reader(connection);
        connection_close(connection);
        return;
    }
    if (connection->len == 0) enter(connection, CONNECTION_READING); /* the head's time limit begins */
    connection->len += (size_t) n;
    look_at_bytes(connection);
}

/* Closes or continues. Pipelined requests move to the start of `head`; no slice points into it any more. */
static void on_exchange_end(struct exchange *exchange, int status)
{
    struct connection *connection = container_of(exchange, struct connection, exchange);
    if (connection->phase == CONNECTION_CLOSING) {
        free_if_over(connection);
        return;
    }
    connection->sent_body = status == 0 && exchange->streamed;
    if (status < 0) {
        connection_close(connection);
    } else if (!exchange->keep_alive) {
        linger(connection);
    } else {
        request_reader_reset(&connection->reader);
        connection->len -= connection->used;
        memmove(connection->head, connection->head + connection->used, connection->len);
        explicit_bzero(connection->head + connection->len, connection->used); /* may hold a password */
        connection->used = 0;
        connection->served = true;
        enter(connection, CONNECTION_READING);
        look_at_bytes(connection);
    }
}

/* --- The beginning --- */

static struct connection *connection_new(struct connection_pool *pool)
{
    struct connection *connection = malloc(sizeof(*connection) + REQUEST_HEAD_MAX);
    if (!connection) return NULL;
    *connection = (struct connection){.pool = pool};
    request_reader_init(&connection->reader);
    stream_init(&connection->stream, pool->loop);
    exchange_init(&connection->exchange, &connection->stream, &pool->exchanges, on_exchange_end);
    enter(connection, CONNECTION_READING);
    list_append(&pool->open, &connection->link);
    pool->open_count++;
    pool->allocated++;
    return connection;
}

/*
 * Limits the unsent bytes in the kernel. Without the limit, it would buffer megabytes for each client that
 * does not read. The call fails on a unix socket, where the kernel buffers less anyway.
 */
static void limit_unsent(int descriptor)
{
    int bytes = UNSENT_MAX;
    setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof(bytes));
}

/* Finds the peer of the client's address. Returns 0 or a negative libuv code. */
static int find_peer(struct connection *connection)
{
    union endpoint endpoint;
    socklen_t len = sizeof(endpoint);
    uv_os_fd_t descriptor;
    memset(&endpoint, 0, sizeof(endpoint));
    int result = uv_fileno(&connection->stream.handle, &descriptor);
    if (result < 0) return result;
    limit_unsent(descriptor);
    /* A client that has already closed has no address any more. It counts as a unix socket. */
    if (getpeername(descriptor, &endpoint.any, &len) < 0) endpoint.any.sa_family = AF_UNIX;
    connection->peer = peers_enter(&connection->pool->peers, &endpoint);
    return connection->peer ? 0 : UV_ENOMEM;
}

static void reject(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    unsigned most = pool->limits.max_connections / 8 + 8;
    pool->counts.rejected++;
    if (pool->secure || pool->rejecting >= (most < REJECTING_MAX ? most : REJECTING_MAX)) {
        connection_close(connection);
        return;
    }
    connection->rejected = true;
    pool->rejecting++;
    refuse_request(connection, 503, "too many connections, see --web.max-connections");
}

/* Answers in plain HTTP, as Go does, so that users see that the scheme is wrong. */
static void respond_plainly(struct connection *connection)
{
    static const char answer[] =
        "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";
    stream_write_now(&connection->stream, answer, sizeof(answer) - 1);
}

/* Logs a failed handshake. A load balancer that checks the port closes without a byte; that is no warning. */
static void log_insecure(struct connection *connection, int status, const char *why)
{
    union endpoint endpoint;
    socklen_t len = sizeof(endpoint) - 1;
    uv_os_fd_t descriptor;
    struct buffer client;
    memset(&endpoint, 0, sizeof(endpoint));
    buffer_init(&client, 256);
    if (uv_fileno(&connection->stream.handle, &descriptor) == 0 &&
        getpeername(descriptor, &endpoint.any, &len) == 0)
        endpoint_format(&endpoint, &client);
    if (status == UV_EPROTO)
        log_line_limited(LOG_WARN, "a TLS handshake failed, the connection is closed",
                         (struct log_field){"client", buffer_slice(&client)}, LOG_FIELD("err", why));
    else
        log_line_limited(LOG_DEBUG, "a TLS handshake did not finish in time",
                         (struct log_field){"client", buffer_slice(&client)}, LOG_FIELD("err", why));
    buffer_deinit(&client);
}

/* Lingers after a failure, so that a reset does not overtake the TLS alert, which may be on its way. */
static void on_secured(struct stream *stream, int status, const char *why)
{
    struct connection *connection = container_of(stream, struct connection, stream);
    if (status == 0) {
        enter(connection, CONNECTION_READING);
        read_more(connection);
        return;
    }
    bool met_http = status == UV_EPROTO && tls_met_http(stream_tls(stream));
    connection->pool->counts.insecure++;
    log_insecure(connection, status, why);
    if (status != UV_EPROTO || !stream_unsecure(stream)) {
        connection_close(connection);
        return;
    }
    if (met_http) respond_plainly(connection);
    linger(connection);
}

static void begin_handshake(struct connection *connection)
{
    struct connection_pool *pool = connection->pool;
    struct stream_security security = {.context = pool->secure(pool->secure_context)};
    enter(connection, CONNECTION_SECURING);
    int result = security.context ? stream_secure(&connection->stream, &security, on_secured) : 0;
    if (security.context && result == 0) return;
    pool->counts.insecure++;
    if (result == 0)
        linger(connection);
    else
        connection_close(connection);
}

int connection_accept(struct connection_pool *pool, uv_stream_t *listener, unsigned number)
{
    struct connection *connection = connection_new(pool);
    if (!connection) return UV_ENOMEM;
    connection->exchange.listener = number;
    int result = stream_accept(&connection->stream, listener);
    if (result == 0) {
        pool->counts.accepted++;
        result = find_peer(connection);
    }
    if (result < 0)
        connection_close(connection);
    else if (!connection_pool_admit(pool, connection))
        reject(connection);
    else if (pool->secure)
        begin_handshake(connection);
    else
        read_more(connection);
    return 0;
}

/* --- From outside --- */

void connection_finish(struct connection *connection)
{
    connection->exchange.keep_alive = false;
    if (connection->phase == CONNECTION_READING || connection->phase == CONNECTION_SECURING)
        connection_close(connection);
}

void connection_turn_away(struct connection *connection, const char *why)
{
    if (connection->phase != CONNECTION_ANSWERING || !exchange_take_over(&connection->exchange)) {
        connection_close(connection);
        return;
    }
    connection->exchange.keep_alive = false;
    respond_line(connection, 503, why);
}

/*
 * Returns how long to wait for the first byte of a head. A client that has finished a handshake gets less
 * time: it has a request to send. Part of a TLS record may have arrived, which does not count as bytes.
 */
static unsigned silence_ms(const struct connection *connection)
{
    const struct server_limits *limits = &connection->pool->limits;
    bool hurried = connection->pool->secure && !connection->served;
    return hurried ? limits->head_timeout_ms : limits->idle_timeout_ms;
}

void connection_sweep(struct connection *connection)
{
    const struct server_limits *limits = &connection->pool->limits;
    uint64_t lasted = uv_now(connection->pool->loop) - connection->since_ms;
    switch (connection->phase) {
    case CONNECTION_SECURING:
        if (lasted < limits->head_timeout_ms) break;
        connection->pool->counts.insecure++;
        connection_close(connection);
        break;
    case CONNECTION_READING:
        if (connection->len && lasted >= limits->head_timeout_ms) {
            stop_reading(connection);
            refuse_request(connection, 408, "the request head did not arrive in time");
        } else if (connection->len == 0 && lasted >= silence_ms(connection)) {
            connection_close(connection);
        }
        break;
    case CONNECTION_ANSWERING:
        if (exchange_is_late(&connection->exchange, limits)) connection_close(connection);
        break;
    case CONNECTION_LINGERING:
        if (lasted >= LINGER_MS) connection_close(connection);
        break;
    case CONNECTION_CLOSING:
        break;
    }
}

bool connection_waits(const struct connection *connection)
{
    return connection->phase != CONNECTION_ANSWERING && connection->phase != CONNECTION_CLOSING;
}

bool connection_had_its_time(const struct connection *connection)
{
    uint64_t lasted = uv_now(connection->pool->loop) - connection->since_ms;
    if (connection->phase == CONNECTION_LINGERING || (connection->served && connection->len == 0))
        return true;
    return lasted >= connection->pool->limits.head_timeout_ms / FIRST_WORD;
}
