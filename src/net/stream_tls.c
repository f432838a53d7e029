/*
 * Records from the peer arrive in stream_tls_receive. `flush` sends records: it first sends as many bytes as
 * the kernel accepts at once, and the rest by one write at a time. Records that are encrypted meanwhile wait
 * in the output of the session.
 *
 *     start -> receive* (handshake) -> on_secure -> receive* (deliver) | write* -> part
 *
 * If the owner stops reading before all bytes are delivered, the records are kept until the owner reads
 * again. An idle handle then delivers them in a later turn, since no callback may run inside stream_read.
 */
#include "net/stream_tls.h"

#include "base/container.h"
#include "net/tls.h"

#include <assert.h>
#include <stdlib.h>

/*
 * Delivers kept records of a stream in a later turn. Allocated separately, since its handle closes in a later
 * turn, when the stream may be gone.
 */
struct waker {
    uv_idle_t idle;
    struct stream *stream; /* the stream to wake */
};

struct stream_tls {
    struct tls tls;
    struct stream *stream;
    stream_secure_fn on_secure; /* NULL after the handshake */
    uv_write_t request;
    struct buffer sending; /* records of the current write */
    struct buffer held;    /* records whose content the owner has not read yet */
    struct waker *waker;   /* owned; NULL until needed */
    bool flushing;         /* `request` is under way */
    bool reading;          /* the owner reads */
    bool unread;           /* there may be more to read in `held` or in the session */
    bool ending;           /* shut the handle down once all records are sent */
};

static char records[4 * TLS_RECORD_MAX];

uv_buf_t stream_tls_lend(void)
{
    return uv_buf_init(records, sizeof(records));
}

/* --- Sending --- */

static void on_shut_down(uv_shutdown_t *request, int status)
{
    (void) status;
    free(request);
}

static int shut_down(struct stream *stream)
{
    uv_shutdown_t *request = malloc(sizeof(*request));
    if (!request) return UV_ENOMEM;
    int result = uv_shutdown(request, &stream->stream, on_shut_down);
    if (result < 0) free(request);
    return result;
}

static int flush(struct stream_tls *tls);

static void on_flushed(uv_write_t *request, int status)
{
    struct stream_tls *tls = container_of(request, struct stream_tls, request);
    struct stream *stream = tls->stream;
    tls->flushing = false;
    buffer_deinit(&tls->sending);
    if (stream->closing) return;
    if (status == 0) status = flush(tls);
    if (status == 0 && tls->flushing) return;
    if (tls->ending) shut_down(stream);
    if (!stream->writing) return; /* a failure shows at the next read */
    stream->writing = false;
    stream->on_write(stream, status);
}

/*
 * Sends all records with uv_write. Does not try to send at once, since the callback of a write must run in a
 * later turn.
 */
static int send_all(struct stream_tls *tls)
{
    if (tls->flushing || tls->tls.output.len == 0) return 0;
    struct buffer empty = tls->sending;
    tls->sending = tls->tls.output;
    tls->tls.output = empty;
    buffer_init(&tls->tls.output, SIZE_MAX / 2);
    uv_buf_t buffer = uv_buf_init(tls->sending.data, (unsigned) tls->sending.len);
    int result = uv_write(&tls->request, &tls->stream->stream, &buffer, 1, on_flushed);
    if (result < 0) buffer_deinit(&tls->sending);
    tls->flushing = result == 0;
    return result;
}

/*
 * Sends the records that the kernel accepts at once, nearly always all of them. Sends the rest with uv_write.
 */
static int flush(struct stream_tls *tls)
{
    struct buffer *output = &tls->tls.output;
    if (tls->flushing || output->len == 0) return 0;
    uv_buf_t buffer = uv_buf_init(output->data, (unsigned) output->len);
    int written = uv_try_write(&tls->stream->stream, &buffer, 1);
    if (written < 0 && written != UV_EAGAIN) return written;
    if (written > 0) {
        output->len -= (size_t) written;
        memmove(output->data, output->data + written, output->len);
    }
    if (output->len) return send_all(tls);
    /* Frees the buffer, so that idle connections use no memory. */
    buffer_deinit(output);
    buffer_init(output, SIZE_MAX / 2);
    return 0;
}

ssize_t stream_tls_write_now(struct stream *stream, const char *bytes, size_t len)
{
    int result = tls_write(&stream->tls->tls, bytes, len);
    if (result == 0) result = flush(stream->tls);
    return result < 0 ? result : (ssize_t) len;
}

int stream_tls_write(struct stream *stream, const uv_buf_t *buffers, unsigned count)
{
    for (unsigned n = 0; n < count; n++) {
        int result = tls_write(&stream->tls->tls, buffers[n].base, buffers[n].len);
        if (result < 0) return result;
    }
    return send_all(stream->tls);
}

int stream_tls_shutdown(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    tls_end(&tls->tls);
    int result = flush(tls);
    if (result < 0) return result;
    tls->ending = tls->flushing;
    return tls->ending ? 0 : shut_down(stream);
}

void stream_tls_part(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    if (tls->on_secure || tls->flushing || tls->ending) return;
    tls_end(&tls->tls);
    uv_buf_t buffer = uv_buf_init(tls->tls.output.data, (unsigned) tls->tls.output.len);
    if (buffer.len) uv_try_write(&stream->stream, &buffer, 1);
}

/* --- Receiving --- */

static void hold(struct stream_tls *tls, struct slice input)
{
    /* `input` may point into the old tls->held. */
    struct buffer rest;
    buffer_init(&rest, sizeof(records));
    buffer_append_slice(&rest, input);
    buffer_deinit(&tls->held);
    tls->held = rest;
}

static void end_reading(struct stream *stream)
{
    stream->tls->reading = false;
    uv_read_stop(&stream->stream);
}

/* Delivers decrypted bytes while the owner reads. */
static void deliver(struct stream *stream, struct slice input)
{
    struct stream_tls *tls = stream->tls;
    ssize_t n = 1;
    while (n > 0 && tls->reading && !stream->closing) {
        uv_buf_t lent = stream->on_lend(stream);
        n = tls_read(&tls->tls, &input, lent.base, lent.len);
        if (n < 0) end_reading(stream);
        if (n != 0) stream->on_read(stream, n);
    }
    /* The owner may have closed the stream in on_read. The memory stays valid until on_close. */
    if (stream->closing) return;
    tls->unread = n > 0;
    hold(tls, n > 0 ? input : (struct slice){NULL, 0});
    int result = flush(tls);
    if (result < 0 && tls->reading) {
        end_reading(stream);
        stream->on_read(stream, result);
    }
}

static void finish_handshake(struct stream *stream, int status, const char *why)
{
    stream_secure_fn on_secure = stream->tls->on_secure;
    stream->tls->on_secure = NULL;
    uv_read_stop(&stream->stream); /* the owner decides when to read again */
    on_secure(stream, status, why);
}

static void go_on_shaking_hands(struct stream *stream, struct slice input)
{
    struct stream_tls *tls = stream->tls;
    enum tls_status status = tls_handshake(&tls->tls, &input);
    int result = flush(tls);
    if (status == TLS_FAILED) {
        finish_handshake(stream, UV_EPROTO, tls_why(&tls->tls));
    } else if (result < 0) {
        finish_handshake(stream, result, uv_strerror(result));
    } else if (status == TLS_DONE) {
        tls->unread = input.len > 0;
        hold(tls, input);
        finish_handshake(stream, 0, NULL);
    }
}

void stream_tls_receive(struct stream *stream, ssize_t n)
{
    struct stream_tls *tls = stream->tls;
    if (n < 0) {
        uv_read_stop(&stream->stream);
        if (tls->on_secure)
            finish_handshake(stream, (int) n, "the connection ended during the TLS handshake");
        else if (tls->reading)
            stream->on_read(stream, n);
        return;
    }
    struct slice input = {records, (size_t) n};
    if (tls->on_secure) {
        go_on_shaking_hands(stream, input);
    } else if (tls->held.len) {
        /* The owner stopped and restarted reading before the waker ran. Keep the order of the bytes. */
        buffer_append_slice(&tls->held, input);
        if (tls->held.failed) {
            end_reading(stream);
            stream->on_read(stream, UV_ENOMEM);
            return;
        }
        struct buffer all = tls->held;
        buffer_init(&tls->held, sizeof(records));
        deliver(stream, buffer_slice(&all));
        buffer_deinit(&all);
    } else {
        deliver(stream, input);
    }
}

static void on_wake(uv_idle_t *idle)
{
    struct waker *waker = container_of(idle, struct waker, idle);
    struct stream *stream = waker->stream;
    uv_idle_stop(idle);
    struct buffer all = stream->tls->held;
    buffer_init(&stream->tls->held, sizeof(records));
    deliver(stream, buffer_slice(&all));
    buffer_deinit(&all);
}

int stream_tls_resume_reading(struct stream *stream)
{
    struct stream_tls *tls = stream->tls;
    tls->reading = true;
    if (!tls->unread) return 0;
    if (!tls->waker) {
        tls->waker = malloc(sizeof(*tls->waker));
        if (!tls->waker) return UV_ENOMEM;
        tls->waker->stream = stream;
        uv_idle_init(stream->loop, &tls->waker->idle);
    }
    uv_idle_start(&tls->waker->idle, on_wake);
    return 0;
}

void stream_tls_pause_reading(struct stream *stream)
{
    stream->tls->reading = false;
    if (stream->tls->waker) uv_idle_stop(&stream->tls->waker->idle);
}

/* --- Life --- */

int stream_tls_start(struct stream *stream, const struct stream_security *security,
                     stream_secure_fn on_secure)
{
    struct slice nothing = {NULL, 0};
    struct stream_tls *tls = calloc(1, sizeof(*tls));
    if (!tls) return UV_ENOMEM;
    int result = tls_init(&tls->tls, security->context, security->server_name);
    if (result < 0) {
        free(tls);
        return result;
    }
    tls->stream = stream;
    tls->on_secure = on_secure;
    buffer_init(&tls->held, sizeof(records));
    stream->tls = tls;
    if (!security->server_name) return 0;
    /* The client sends the first message of the handshake. */
    if (security->session) tls_resume(&tls->tls, security->session);
    enum tls_status status = tls_handshake(&tls->tls, &nothing);
    return status == TLS_FAILED ? UV_ENOMEM : flush(tls);
}

static void on_waker_closed(uv_handle_t *handle)
{
    free(container_of((uv_idle_t *) handle, struct waker, idle));
}

void stream_tls_free(struct stream_tls *tls)
{
    if (!tls) return;
    if (tls->waker) uv_close((uv_handle_t *) &tls->waker->idle, on_waker_closed);
    tls_deinit(&tls->tls);
    buffer_deinit(&tls->sending);
    buffer_deinit(&tls->held);
    free(tls);
}

bool stream_unsecure(struct stream *stream)
{
    if (!stream->tls || stream->tls->flushing) return false;
    stream_tls_free(stream->tls);
    stream->tls = NULL;
    return true;
}

struct tls *stream_tls(const struct stream *stream)
{
    return stream->tls ? &stream->tls->tls : NULL;
}
