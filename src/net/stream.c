/*
 * The happy path: stream_connect -> on_connected -> stream_read -> on_alloc, on_received ... -> stream_close
 * -> on_closed, with stream_write -> on_written at any time in between.
 *
 * What can go wrong: a handle or request cannot be started (the function returns an error, and its callback
 * never runs). The peer refuses, resets or ends the connection (the callback reports this). The owner closes
 * the stream while requests are under way: libuv still runs their callbacks with UV_ECANCELED before the
 * close callback. These callbacks return early, so that the owner gets no callback between stream_close and
 * on_close.
 *
 * When the budget is spent: on_alloc -> on_received (on_alloc has provided no memory) -> [on_budget ->]
 * on_alloc, in a later turn.
 */
#include "net/stream.h"

#include "base/container.h"
#include "base/slab.h"
#include "net/stream_tls.h"

#include <assert.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>

/* The libuv requests of a stream. Idle streams have none, and most streams are idle most of the time. */
struct stream_requests {
    union {
        uv_connect_t connect; /* only until the stream is connected */
        uv_write_t write;
    };
    uv_shutdown_t shutdown;
    struct stream *stream;
};

/*
 * TCP keepalive: idle time before the first probe, and interval and number of further probes. Most firewalls
 * keep an idle connection for longer than this idle time.
 */
#define KEEP_ALIVE_S       30
#define KEEP_ALIVE_RETRY_S 5
#define KEEP_ALIVE_RETRIES 3

void stream_init(struct stream *stream, uv_loop_t *loop)
{
    *stream = (struct stream){.loop = loop};
    read_budget_ticket_init(&stream->ticket);
}

/* The streams of stream_new. Thousands of them are idle while snapshots come and go. */
static struct slab *slab_of_streams(void)
{
    static struct slab slab;
    if (!slab.size) slab_init(&slab, sizeof(struct stream));
    return &slab;
}

struct stream *stream_new(uv_loop_t *loop)
{
    struct stream *stream = slab_alloc(slab_of_streams());
    if (stream) stream_init(stream, loop);
    return stream;
}

static bool has_requests(struct stream *stream)
{
    if (stream->requests) return true;
    stream->requests = malloc(sizeof(*stream->requests));
    if (stream->requests) stream->requests->stream = stream;
    return stream->requests;
}

static void release_requests(struct stream *stream)
{
    free(stream->requests);
    stream->requests = NULL;
}

/*
 * Initialises the handle. Afterwards, only uv_close can release it. Neither uv_pipe_init nor uv_tcp_init
 * creates a socket, so uv_tcp_nodelay only stores a flag, which libuv applies to the socket later.
 */
static int open_handle(struct stream *stream, bool local)
{
    assert(!stream->open && !stream->closing);
    int result =
        local ? uv_pipe_init(stream->loop, &stream->pipe, 0) : uv_tcp_init(stream->loop, &stream->tcp);
    if (result < 0) return result;
    stream->open = true;
    return local ? 0 : uv_tcp_nodelay(&stream->tcp, 1);
}

static void on_connected(uv_connect_t *request, int status)
{
    struct stream *stream = container_of(request, struct stream_requests, connect)->stream;
    if (stream->closing) return;
    release_requests(stream);
    stream->on_connect(stream, status);
}

int stream_connect(struct stream *stream, const union endpoint *endpoint, stream_connect_fn on_connect)
{
    bool local = endpoint->any.sa_family == AF_UNIX;
    if (!has_requests(stream)) return UV_ENOMEM;
    uv_connect_t *request = &stream->requests->connect;
    int result = open_handle(stream, local);
    if (result < 0) return result;
    stream->on_connect = on_connect;
    if (!local) return uv_tcp_connect(request, &stream->tcp, &endpoint->any, on_connected);

    /* uv_pipe_connect reports every failure to the callback. */
    uv_pipe_connect(request, &stream->pipe, endpoint->local.sun_path, on_connected);
    return 0;
}

int stream_accept(struct stream *stream, uv_stream_t *listener)
{
    int result = open_handle(stream, listener->type == UV_NAMED_PIPE);
    if (result < 0) return result;
    return uv_accept(listener, &stream->stream);
}

/*
 * Provides no memory if the owner does not read, or if the budget is spent. libuv then calls on_received with
 * UV_ENOBUFS at once, and reads no more of this stream in this turn.
 */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stream *stream = container_of(handle, struct stream, handle);
    (void) suggested;
    *buffer = uv_buf_init(NULL, 0);
    if (stream->paused) return;
    if (stream->budget && read_budget_is_spent(stream->budget, &stream->ticket)) return;
    *buffer = stream->tls ? stream_tls_lend() : stream->on_lend(stream);
    assert(buffer->base && buffer->len > 0);
}

static void on_budget(struct read_budget_ticket *ticket);
static void on_received(uv_stream_t *handle, ssize_t n, const uv_buf_t *buffer);

/*
 * Starts libuv's reading, which may be going on: an owner that stops and soon reads again must not cost a
 * system call.
 */
static int start_reading(struct stream *stream)
{
    int result = uv_read_start(&stream->stream, on_alloc, on_received);
    stream->paused = false;
    return result == UV_EALREADY ? 0 : result;
}

/*
 * Leaves the bytes to a later turn. If the stream keeps its interest in them, the loop reports them again;
 * stopping and starting would take two system calls. If many streams are ready, the loop would report all of
 * them again and again in the same turn, so some stop reading until the budget has room. A stream whose owner
 * does not read stops, too.
 */
static void leave_unread(struct stream *stream)
{
    if (stream->paused) {
        uv_read_stop(&stream->stream);
    } else if (!read_budget_refuse(stream->budget, &stream->ticket)) {
        uv_read_stop(&stream->stream);
        read_budget_wait(stream->budget, &stream->ticket, on_budget);
    }
}

static void on_received(uv_stream_t *handle, ssize_t n, const uv_buf_t *buffer)
{
    struct stream *stream = container_of(handle, struct stream, stream);
    (void) buffer;
    if (n == 0) return; /* no data was there; on_lend runs again before the next read */
    if (n == UV_ENOBUFS) {
        leave_unread(stream);
        return;
    }
    if (stream->budget) read_budget_take(stream->budget, &stream->ticket, n);
    if (stream->tls) {
        stream_tls_receive(stream, n);
        return;
    }
    if (n < 0) uv_read_stop(handle);
    stream->on_read(stream, n);
}

static void on_budget(struct read_budget_ticket *ticket)
{
    struct stream *stream = container_of(ticket, struct stream, ticket);
    int result = start_reading(stream);
    if (result == 0) return;
    if (stream->tls)
        stream_tls_receive(stream, result);
    else
        stream->on_read(stream, result);
}

int stream_secure(struct stream *stream, const struct stream_security *security, stream_secure_fn on_secure)
{
    assert(stream->open && !stream->closing && !stream->tls);
    int result = stream_tls_start(stream, security, on_secure);
    return result < 0 ? result : start_reading(stream);
}

void stream_share(struct stream *stream, struct read_budget *budget)
{
    stream->budget = budget;
    read_budget_ticket_renew(&stream->ticket);
}

static int descriptor_of(const struct stream *stream)
{
    uv_os_fd_t descriptor = -1;
    uv_fileno(&stream->handle, &descriptor);
    return descriptor;
}

void stream_keep_alive(struct stream *stream)
{
    static const struct {
        int level, name, value;
    } options[] = {
        {SOL_SOCKET, SO_KEEPALIVE, 1},
        {IPPROTO_TCP, TCP_KEEPIDLE, KEEP_ALIVE_S},
        {IPPROTO_TCP, TCP_KEEPINTVL, KEEP_ALIVE_RETRY_S},
        {IPPROTO_TCP, TCP_KEEPCNT, KEEP_ALIVE_RETRIES},
        {IPPROTO_TCP, TCP_USER_TIMEOUT, 1000 * KEEP_ALIVE_RETRY_S * KEEP_ALIVE_RETRIES},
    };
    assert(stream->open && !stream->closing);
    if (stream->handle.type != UV_TCP) return;
    for (size_t n = 0; n < ARRAY_LEN(options); n++)
        setsockopt(descriptor_of(stream), options[n].level, options[n].name, &options[n].value, sizeof(int));
}

bool stream_has_unread(const struct stream *stream)
{
    return stream->ticket.refused;
}

bool stream_is_quiet(const struct stream *stream)
{
    char byte;
    ssize_t n;
    do n = recv(descriptor_of(stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

int stream_read(struct stream *stream, stream_lend_fn on_lend, stream_read_fn on_read)
{
    assert(stream->open && !stream->closing);
    stream->on_lend = on_lend;
    stream->on_read = on_read;
    int result = stream->tls ? stream_tls_resume_reading(stream) : 0;
    return result < 0 ? result : start_reading(stream);
}

void stream_read_stop(struct stream *stream)
{
    read_budget_leave(&stream->ticket);
    if (stream->tls) stream_tls_pause_reading(stream);
    stream->paused = true;
}

ssize_t stream_write_now(struct stream *stream, const char *bytes, size_t len)
{
    uv_buf_t buffer = uv_buf_init((char *) (uintptr_t) bytes, (unsigned) len);
    assert(stream->open && !stream->closing && !stream->writing);
    if (stream->tls) return stream_tls_write_now(stream, bytes, len);
    int written = uv_try_write(&stream->stream, &buffer, 1);
    return written == UV_EAGAIN ? 0 : written;
}

static void on_written(uv_write_t *request, int status)
{
    struct stream *stream = container_of(request, struct stream_requests, write)->stream;
    stream->writing = false;
    if (stream->closing) return;
    stream->on_write(stream, status);
}

int stream_write(struct stream *stream, const uv_buf_t *buffers, unsigned count, stream_write_fn on_write)
{
    assert(stream->open && !stream->closing && !stream->writing);
    if (!stream->tls && !has_requests(stream)) return UV_ENOMEM;
    int result = stream->tls
                     ? stream_tls_write(stream, buffers, count)
                     : uv_write(&stream->requests->write, &stream->stream, buffers, count, on_written);
    if (result < 0) return result;
    stream->on_write = on_write;
    stream->writing = true;
    return 0;
}

size_t stream_unwritten(const struct stream *stream)
{
    return stream->open ? uv_stream_get_write_queue_size(&stream->stream) : 0;
}

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void) request, (void) status;
}

int stream_shutdown(struct stream *stream)
{
    assert(stream->open && !stream->closing);
    if (stream->tls) return stream_tls_shutdown(stream);
    if (!has_requests(stream)) return UV_ENOMEM;
    return uv_shutdown(&stream->requests->shutdown, &stream->stream, on_shut_down);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = container_of(handle, struct stream, handle);
    stream->open = false;
    release_requests(stream);
    stream_tls_free(stream->tls);
    stream->tls = NULL;
    stream->on_close(stream);
}

void stream_close(struct stream *stream, stream_close_fn on_close)
{
    if (stream->closing) return;

    /* A stream without a handle gets an unconnected pipe, so that on_close still runs from the loop. */
    if (!stream->open) uv_pipe_init(stream->loop, &stream->pipe, 0);
    read_budget_leave(&stream->ticket);
    if (stream->tls) {
        stream_tls_pause_reading(stream);
        stream_tls_part(stream);
    }
    stream->closing = true;
    stream->on_close = on_close;
    uv_close(&stream->handle, on_closed);
}

static void on_disposed(struct stream *stream)
{
    slab_free(slab_of_streams(), stream);
}

void stream_dispose(struct stream *stream)
{
    if (stream) stream_close(stream, on_disposed);
}
