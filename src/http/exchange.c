/*
 * The happy path of a short answer: exchange_respond -> on_written -> on_end. Of a body:
 *
 *     exchange_stream -> pull -> [squeeze -> on_squeezed] -> write_piece -> on_written -> pull -> ... ->
 * on_end
 *
 * A body that ends in its first piece is compressed here and now and gets a Content-Length. Of a larger one
 * each piece is compressed on the thread pool and sent as a chunk; the next one is asked for when that has
 * been written, so that a slow client holds one piece of memory, not the answer.
 *
 * What can go wrong: no memory, or the client is gone (on_end with the reason, and the connection closes);
 * the connection is closed from outside (exchange_cancel). What runs on the thread pool cannot be stopped, so
 * that the end is then reported from on_squeezed.
 */
#include "http/exchange.h"

#include "base/container.h"
#include "base/log.h"

#include <assert.h>

/* Each piece wakes the reader and passes through the loop once: of a fleet's answer, pieces of 64 KiB take 7
 * % more of all CPU time. To make one takes a tenth of a millisecond. */
#define PIECE (256 * 1024)

/* A body may overshoot a piece by what it cannot divide, a line or a family; this is far beyond. */
#define PIECE_CAP (8 * PIECE)

/* Up to here zlib takes a millisecond or two even on a slow machine, which the loop can spare. */
#define INLINE_MAX (128 * 1024)

#define HEAD_CAP 4096

void exchange_init(struct exchange *exchange, struct stream *stream, const struct exchange_observer *observer,
                   exchange_end_fn on_end)
{
    *exchange = (struct exchange){.stream = stream, .observer = observer, .on_end = on_end};
    stream->context = exchange;
}

void exchange_begin(struct exchange *exchange, const struct request *request)
{
    assert(!exchange_is_busy(exchange));
    exchange->phase = EXCHANGE_OWED;
    exchange->begun_ns = uv_hrtime();
    exchange->answer = (struct answer_report){0};
    exchange->request = *request;
    exchange->keep_alive = request->keep_alive;
}

void exchange_set_handler(struct exchange *exchange, const char *handler)
{
    exchange->answer.handler = handler;
}

bool exchange_is_busy(const struct exchange *exchange)
{
    return exchange->phase != EXCHANGE_NONE;
}

void exchange_on_abort(struct exchange *exchange, void (*on_abort)(void *context), void *context)
{
    assert(exchange->phase == EXCHANGE_OWED);
    exchange->on_abort = on_abort;
    exchange->abort_context = context;
}

/* --- The end --- */

static void release_body(struct exchange *exchange)
{
    struct source *body = exchange->body;
    exchange->body = NULL;
    if (body) body->release(body);
}

static void tell_observer(struct exchange *exchange)
{
    const struct exchange_observer *observer = exchange->observer;
    if (!exchange->answer.status || !observer->call) return;
    exchange->answer.duration_ns = uv_hrtime() - exchange->begun_ns;
    observer->call(observer->context, &exchange->answer);
    exchange->answer.status = 0;
}

/* Back to what exchange_init left: an idle connection holds nothing of its last answer. */
static void drop_answer(struct exchange *exchange)
{
    tell_observer(exchange);
    release_body(exchange);
    buffer_deinit(&exchange->head);
    buffer_deinit(&exchange->piece);
    buffer_deinit(&exchange->packed);
    compressor_deinit(&exchange->compressor);
    exchange->chunked = exchange->last = false;
    exchange->phase = EXCHANGE_NONE;
}

static void end(struct exchange *exchange, int status)
{
    drop_answer(exchange);
    exchange->on_end(exchange, status);
}

void exchange_cancel(struct exchange *exchange)
{
    void (*on_abort)(void *) = exchange->on_abort;
    exchange->on_abort = NULL;
    if (exchange->phase == EXCHANGE_SENDING && !exchange->working) {
        drop_answer(exchange);
    } else if (exchange->phase == EXCHANGE_OWED && on_abort) {
        exchange->phase = EXCHANGE_NONE;
        on_abort(exchange->abort_context);
    }
}

/* --- The beginning --- */

/* False when nobody is left to answer. */
static bool take_answer(struct exchange *exchange)
{
    assert(exchange->phase == EXCHANGE_OWED);
    exchange->on_abort = NULL;
    exchange->phase = EXCHANGE_SENDING;
    return !exchange->stream->closing;
}

static bool is_packed(const struct exchange *exchange)
{
    return exchange->compressor.coding != CODING_IDENTITY;
}

static void append_head(struct exchange *exchange, const struct response *response,
                        enum response_framing framing, size_t length)
{
    struct response_transfer transfer = {
        .framing = framing,
        .length = length,
        .coding = is_packed(exchange) ? coding_name(exchange->compressor.coding) : NULL,
        .keep_alive = exchange->keep_alive,
        .minor = exchange->request.minor,
        .now = time(NULL),
    };
    exchange->answer.status = response->status;
    response_append_head(&exchange->head, response, &transfer);
}

static void on_written(struct stream *stream, int status);

static void write_buffers(struct exchange *exchange, const uv_buf_t *buffers, unsigned count)
{
    bool failed = exchange->head.failed || exchange->piece.failed || exchange->packed.failed;
    if (failed) log_line_limited(LOG_ERROR, "an answer is cut", LOG_FIELD("err", uv_strerror(UV_ENOMEM)));
    int result = failed ? UV_ENOMEM : stream_write(exchange->stream, buffers, count, on_written);
    exchange->write_started_ms = uv_now(exchange->stream->loop);
    for (unsigned n = 0; result == 0 && n < count; n++) exchange->answer.bytes += buffers[n].len;
    if (result < 0) end(exchange, result);
}

static void write_head(struct exchange *exchange)
{
    uv_buf_t buffer = uv_buf_init(exchange->head.data, (unsigned) exchange->head.len);
    exchange->last = true;
    write_buffers(exchange, &buffer, 1);
}

void exchange_respond(struct exchange *exchange, const struct response *response, struct slice body)
{
    if (!take_answer(exchange)) {
        end(exchange, UV_ECANCELED);
        return;
    }
    buffer_init(&exchange->head, HEAD_CAP + body.len);
    append_head(exchange, response, FRAMING_LENGTH, body.len);
    if (exchange->request.method != METHOD_HEAD) buffer_append_slice(&exchange->head, body);
    write_head(exchange);
}

/* --- Pieces --- */

static void pull(struct exchange *exchange)
{
    buffer_clear(&exchange->piece);
    buffer_clear(&exchange->packed);
    exchange->last = !exchange->body->fill(exchange->body, &exchange->piece, PIECE);
    assert(exchange->last || exchange->piece.len || exchange->piece.failed);
    if (exchange->last) release_body(exchange);
}

static void send_piece(struct exchange *exchange);

/* The piece at hand, and around it what frames a chunk (RFC 9112, 7.1) if this is one. */
static void write_piece(struct exchange *exchange)
{
    static char tail[] = "\r\n0\r\n\r\n"; /* the end of a chunk, and then of the body */
    struct buffer *data = is_packed(exchange) ? &exchange->packed : &exchange->piece;
    uv_buf_t buffers[3];
    unsigned count = 0;

    if (exchange->chunked && data->len) buffer_printf(&exchange->head, "%zx\r\n", data->len);
    if (exchange->head.len)
        buffers[count++] = uv_buf_init(exchange->head.data, (unsigned) exchange->head.len);
    if (data->len) buffers[count++] = uv_buf_init(data->data, (unsigned) data->len);
    if (exchange->chunked) {
        size_t from = data->len ? 0 : 2, to = exchange->last ? sizeof(tail) - 1 : 2;
        buffers[count++] = uv_buf_init(tail + from, (unsigned) (to - from));
    }
    if (count)
        write_buffers(exchange, buffers, count);
    else
        end(exchange, 0); /* only closing says that such a body is over */
}

static void on_written(struct stream *stream, int status)
{
    struct exchange *exchange = stream->context;
    if (status < 0 || exchange->last) {
        end(exchange, status);
        return;
    }
    buffer_clear(&exchange->head);
    pull(exchange);
    send_piece(exchange);
}

/* On a thread of the pool; nothing else touches these members until on_squeezed. */
static void squeeze(uv_work_t *work)
{
    struct exchange *exchange = container_of(work, struct exchange, work);
    exchange->work_result = compressor_write(&exchange->compressor, buffer_slice(&exchange->piece),
                                             exchange->last, &exchange->packed);
}

static void on_squeezed(uv_work_t *work, int status)
{
    struct exchange *exchange = container_of(work, struct exchange, work);
    exchange->working = false;
    if (status == 0) status = exchange->stream->closing ? UV_ECANCELED : exchange->work_result;
    if (status < 0) {
        end(exchange, status);
    } else if (exchange->packed.len) {
        write_piece(exchange);
    } else {
        /* zlib waits for more, and an empty chunk would end the body. */
        pull(exchange);
        send_piece(exchange);
    }
}

static void send_piece(struct exchange *exchange)
{
    if (!is_packed(exchange) || exchange->piece.failed) {
        write_piece(exchange);
        return;
    }
    int result = uv_queue_work(exchange->stream->loop, &exchange->work, squeeze, on_squeezed);
    exchange->working = result == 0;
    if (result < 0) end(exchange, result);
}

/* --- Bodies --- */

/* The whole body is in the first piece. */
static void send_whole(struct exchange *exchange, const struct response *response)
{
    struct buffer *data = &exchange->piece;
    if (is_packed(exchange)) {
        data = &exchange->packed;
        int result = compressor_write(&exchange->compressor, buffer_slice(&exchange->piece), true, data);
        if (result < 0) data->failed = true;
    }
    append_head(exchange, response, FRAMING_LENGTH, data->len);
    write_piece(exchange);
}

static void send_first(struct exchange *exchange, const struct response *response)
{
    exchange->chunked = exchange->request.minor > 0;
    if (!exchange->chunked) exchange->keep_alive = false;
    append_head(exchange, response, exchange->chunked ? FRAMING_CHUNKED : FRAMING_CLOSE, 0);
    send_piece(exchange);
}

/* Nothing has been sent yet, so that the client can be told. */
static void send_failure(struct exchange *exchange)
{
    struct response failure = {.status = 500, .content_type = "text/plain; charset=utf-8"};
    log_line_limited(LOG_ERROR, "an answer cannot be made", LOG_FIELD("err", uv_strerror(UV_ENOMEM)));
    release_body(exchange);
    compressor_deinit(&exchange->compressor);
    buffer_clear(&exchange->piece);
    append_head(exchange, &failure, FRAMING_LENGTH, 0);
    write_head(exchange);
}

void exchange_stream(struct exchange *exchange, const struct response *response, struct source *body)
{
    int result = take_answer(exchange) ? 0 : UV_ECANCELED;
    exchange->body = body;
    buffer_init(&exchange->head, HEAD_CAP);
    buffer_init(&exchange->piece, PIECE_CAP);
    buffer_init(&exchange->packed, PIECE_CAP);
    bool head = exchange->request.method == METHOD_HEAD;
    enum coding coding =
        head ? CODING_IDENTITY : coding_choose(exchange->request.headers[HEADER_ACCEPT_ENCODING]);
    if (result == 0 && coding != CODING_IDENTITY) result = compressor_init(&exchange->compressor, coding);
    if (result < 0) {
        end(exchange, result);
    } else if (head) {
        /* How long the body would be, only making it would tell: neither length nor coding is named. */
        release_body(exchange);
        append_head(exchange, response, FRAMING_CLOSE, 0);
        write_head(exchange);
    } else {
        pull(exchange);
        if (exchange->piece.failed)
            send_failure(exchange);
        else if (exchange->last && exchange->piece.len <= INLINE_MAX)
            send_whole(exchange, response);
        else
            send_first(exchange, response);
    }
}
