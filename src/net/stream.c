/*
 * The happy path: stream_connect -> on_connected -> stream_read -> on_alloc, on_received ... -> stream_close
 * -> on_closed, with stream_write -> on_written at any time between.
 *
 * What can go wrong: the handle cannot be made or armed (the function says so and arms nothing); the peer
 * refuses, resets or ends (the callback says so); the owner closes while something is under way. libuv then
 * still runs the callbacks that were due, with UV_ECANCELED, before that of the close: they end here, so that
 * an owner sees nothing of a stream between stream_close and on_close.
 *
 * When a budget is spent: on_alloc -> on_received (nothing is lent) -> on_budget, in a later turn ->
 * on_alloc.
 */
#include "net/stream.h"

#include "base/container.h"

#include <assert.h>

void stream_init(struct stream *stream, uv_loop_t *loop)
{
    *stream = (struct stream){.loop = loop};
    read_budget_ticket_init(&stream->ticket);
}

/*
 * From here on uv_close is the only way out. Neither call makes a socket yet, so that the flag for Nagle's
 * delay is only remembered, and set when the socket is there.
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
    struct stream *stream = container_of(request, struct stream, connect_request);
    if (stream->closing) return;
    stream->on_connect(stream, status);
}

int stream_connect(struct stream *stream, const union endpoint *endpoint, stream_connect_fn on_connect)
{
    bool local = endpoint->any.sa_family == AF_UNIX;
    int result = open_handle(stream, local);
    if (result < 0) return result;
    stream->on_connect = on_connect;
    if (!local) return uv_tcp_connect(&stream->connect_request, &stream->tcp, &endpoint->any, on_connected);

    /* Tells of every failure in the callback. */
    uv_pipe_connect(&stream->connect_request, &stream->pipe, endpoint->local.sun_path, on_connected);
    return 0;
}

int stream_accept(struct stream *stream, uv_stream_t *listener)
{
    int result = open_handle(stream, listener->type == UV_NAMED_PIPE);
    if (result < 0) return result;
    return uv_accept(listener, &stream->stream);
}

/* Nothing is lent when the budget is spent: on_received hears of that at once. */
static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct stream *stream = container_of(handle, struct stream, handle);
    (void) suggested;
    *buffer = uv_buf_init(NULL, 0);
    if (stream->budget && read_budget_is_spent(stream->budget, &stream->ticket)) return;
    *buffer = stream->on_lend(stream);
    assert(buffer->base && buffer->len > 0);
}

static void on_budget(struct read_budget_ticket *ticket);

/* Reading stops meanwhile: else the loop would ask again and again in the same turn, as long as a thousand
 * streams are ready. */
static void wait_for_budget(struct stream *stream)
{
    uv_read_stop(&stream->stream);
    read_budget_wait(stream->budget, &stream->ticket, on_budget);
}

static void on_received(uv_stream_t *handle, ssize_t n, const uv_buf_t *buffer)
{
    struct stream *stream = container_of(handle, struct stream, stream);
    (void) buffer;
    if (n == 0) return; /* nothing there after all: the memory is lent again for the next try */
    if (n == UV_ENOBUFS) {
        wait_for_budget(stream);
        return;
    }
    if (stream->budget) read_budget_take(stream->budget, &stream->ticket, n);
    if (n < 0) uv_read_stop(handle);
    stream->on_read(stream, n);
}

static void on_budget(struct read_budget_ticket *ticket)
{
    struct stream *stream = container_of(ticket, struct stream, ticket);
    int result = uv_read_start(&stream->stream, on_alloc, on_received);
    if (result < 0) stream->on_read(stream, result);
}

void stream_share(struct stream *stream, struct read_budget *budget)
{
    stream->budget = budget;
    read_budget_ticket_renew(&stream->ticket);
}

int stream_read(struct stream *stream, stream_lend_fn on_lend, stream_read_fn on_read)
{
    assert(stream->open && !stream->closing);
    stream->on_lend = on_lend;
    stream->on_read = on_read;
    return uv_read_start(&stream->stream, on_alloc, on_received);
}

void stream_read_stop(struct stream *stream)
{
    read_budget_leave(&stream->ticket);
    if (stream->open && !stream->closing) uv_read_stop(&stream->stream);
}

ssize_t stream_write_now(struct stream *stream, const char *bytes, size_t len)
{
    uv_buf_t buffer = uv_buf_init((char *) (uintptr_t) bytes, (unsigned) len);
    assert(stream->open && !stream->closing && !stream->writing);
    int written = uv_try_write(&stream->stream, &buffer, 1);
    return written == UV_EAGAIN ? 0 : written;
}

static void on_written(uv_write_t *request, int status)
{
    struct stream *stream = container_of(request, struct stream, write_request);
    stream->writing = false;
    if (stream->closing) return;
    stream->on_write(stream, status);
}

int stream_write(struct stream *stream, const uv_buf_t *buffers, unsigned count, stream_write_fn on_write)
{
    assert(stream->open && !stream->closing && !stream->writing);
    int result = uv_write(&stream->write_request, &stream->stream, buffers, count, on_written);
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
    return uv_shutdown(&stream->shutdown_request, &stream->stream, on_shut_down);
}

static void on_closed(uv_handle_t *handle)
{
    struct stream *stream = container_of(handle, struct stream, handle);
    stream->open = false;
    stream->on_close(stream);
}

void stream_close(struct stream *stream, stream_close_fn on_close)
{
    if (stream->closing) return;

    /* Even a stream without a handle reports from the loop: a pipe that leads nowhere takes it there. */
    if (!stream->open) uv_pipe_init(stream->loop, &stream->pipe, 0);
    read_budget_leave(&stream->ticket);
    stream->closing = true;
    stream->on_close = on_close;
    uv_close(&stream->handle, on_closed);
}
