/*
 * The normal path of a short answer: exchange_respond -> write_piece -> on_written -> [on_end]. Of a body:
 *
 *     exchange_stream -> send_in_turn [-> on_turn] -> make_piece -> write_piece -> on_written -> send_in_turn
 *         -> ... -> [on_end]
 *
 * A body that ends in its first piece gets a Content-Length. A larger body is sent in chunks. The loop makes
 * and compresses each piece in a millisecond or two. The thread pool is not used, since file access may block
 * it. Other work runs between two pieces. When many answers are due at once, they share the turns of the
 * loop. The next piece is made after the last one has been written. So a slow client costs the memory of one
 * piece, not of the whole answer.
 *
 * Failures:
 * - Out of memory, or the client is gone: on_end gets the error, and the connection closes.
 * - The client does not read: the sweep of the pool closes the connection, or another answer that needs its
 *   place does.
 * - The connection is closed for another reason: exchange_cancel.
 */
#include "http/exchange.h"

#include "base/container.h"
#include "base/log.h"

#include <assert.h>

/*
 * Bytes of a piece. Each piece wakes the client and takes one pass through the loop. Pieces of 64 KiB would
 * take 7 % more CPU time in total. Making a piece takes 0.1 ms.
 */
#define PIECE (256 * 1024)

/* Bytes of a piece to compress. Even zlib on a slow machine compresses it in a millisecond or two. */
#define PIECE_PACKED (128 * 1024)

/*
 * A body may exceed a piece by a part that it cannot split: a line or a family. This limit is far above that.
 */
#define PIECE_CAP (8 * PIECE)

#define HEAD_CAP 4096

/* Most bytes of headers that a configuration may add. */
#define HEADERS_CAP ((size_t) 1024 * 1024)

void exchange_init(struct exchange *exchange, struct stream *stream, struct exchange_shared *shared,
                   exchange_end_fn on_end)
{
    *exchange = (struct exchange){.stream = stream, .shared = shared, .on_end = on_end};
    buffer_init(&exchange->headers, HEADERS_CAP);
    link_init(&exchange->unread);
    link_init(&exchange->working);
    work_budget_ticket_init(&exchange->ticket);
    stream->context = exchange;
}

void exchange_begin(struct exchange *exchange, const struct request *request, struct peer *peer)
{
    assert(!exchange_is_busy(exchange));
    exchange->phase = EXCHANGE_OWED;
    exchange->begun_ns = uv_hrtime();
    exchange->answer = (struct answer_report){0};
    exchange->request = *request;
    exchange->keep_alive = request->keep_alive;
    exchange->peer = peer;
}

void exchange_set_handler(struct exchange *exchange, const char *handler)
{
    exchange->answer.handler = handler;
}

unsigned exchange_listener(const struct exchange *exchange)
{
    return exchange->listener;
}

void exchange_set_headers(struct exchange *exchange, struct slice headers)
{
    buffer_clear(&exchange->headers);
    buffer_append_slice(&exchange->headers, headers);
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

/* --- Answers that are not read --- */

static void set_unread(struct exchange *exchange, bool unread)
{
    struct exchange_shared *shared = exchange->shared;
    if (link_is_linked(&exchange->unread)) {
        link_remove(&exchange->unread);
        shared->unread_count--;
        exchange->peer->unread--;
    }
    if (!unread) return;
    list_append(&shared->unread, &exchange->unread);
    shared->unread_count++;
    exchange->peer->unread++;
}

static void note_progress(struct exchange *exchange)
{
    exchange->left = stream_unwritten(exchange->stream);
    exchange->progress_ms = uv_now(exchange->stream->loop);
    set_unread(exchange, exchange->left > 0);
}

bool exchange_is_late(struct exchange *exchange, const struct server_limits *limits)
{
    uint64_t now = uv_now(exchange->stream->loop);
    if (exchange->phase != EXCHANGE_SENDING) return false;
    if (link_is_linked(&exchange->unread) && stream_unwritten(exchange->stream) != exchange->left)
        note_progress(exchange);
    return now - exchange->progress_ms >= limits->idle_timeout_ms ||
           now - exchange->sending_ms >= limits->answer_timeout_ms;
}

/* --- Places --- */

static void leave_place(struct exchange *exchange)
{
    if (!link_is_linked(&exchange->working)) return;
    link_remove(&exchange->working);
    exchange->shared->working_count--;
    exchange->peer->working--;
}

bool exchange_take_place(struct exchange *exchange, unsigned places)
{
    struct exchange_shared *shared = exchange->shared;
    assert(exchange->phase == EXCHANGE_OWED && !link_is_linked(&exchange->working));
    list_append(&shared->working, &exchange->working);
    shared->working_count++;
    exchange->peer->working++;
    if (shared->working_count <= places || shared->make_place(shared, exchange, places)) return true;
    leave_place(exchange);
    return false;
}

/* --- The end --- */

static void release_body(struct exchange *exchange)
{
    struct producer *body = exchange->body;
    exchange->body = NULL;
    leave_place(exchange);
    if (body) body->release(body);
}

/*
 * Resets the exchange to the state after exchange_init, so that an idle connection holds no memory of its
 * last answer.
 */
static void drop_answer(struct exchange *exchange)
{
    struct exchange_shared *shared = exchange->shared;
    if (exchange->answer.status && shared->observer) {
        exchange->answer.duration_ns = uv_hrtime() - exchange->begun_ns;
        shared->observer(shared->observer_context, &exchange->answer);
    }
    exchange->answer.status = 0;
    work_budget_leave(&exchange->ticket);
    set_unread(exchange, false);
    release_body(exchange);
    buffer_deinit(&exchange->headers);
    buffer_deinit(&exchange->head);
    buffer_deinit(&exchange->piece);
    buffer_deinit(&exchange->packed);
    compressor_deinit(&exchange->compressor);
    exchange->chunked = exchange->last = false;
    exchange->phase = EXCHANGE_NONE;
}

static void end_answer(struct exchange *exchange, int status)
{
    drop_answer(exchange);
    exchange->on_end(exchange, status);
}

bool exchange_is_abortable(const struct exchange *exchange)
{
    bool waits = link_is_linked(&exchange->ticket.link); /* the handler has not seen the request yet */
    return exchange->phase == EXCHANGE_OWED && (exchange->on_abort || waits);
}

bool exchange_take_over(struct exchange *exchange)
{
    void (*on_abort)(void *) = exchange->on_abort;
    if (!exchange_is_abortable(exchange)) return false;
    exchange->on_abort = NULL;
    leave_place(exchange);
    work_budget_leave(&exchange->ticket);
    if (on_abort) on_abort(exchange->abort_context);
    return true;
}

void exchange_cancel(struct exchange *exchange)
{
    if (exchange->phase == EXCHANGE_SENDING || exchange_take_over(exchange)) drop_answer(exchange);
}

/* --- The answer --- */

static bool is_packed(const struct exchange *exchange)
{
    return exchange->compressor.coding != CODING_IDENTITY;
}

/* Returns false if the client is gone. */
static bool begin_answer(struct exchange *exchange, size_t head_cap)
{
    assert(exchange->phase == EXCHANGE_OWED);
    exchange->on_abort = NULL;
    exchange->phase = EXCHANGE_SENDING;
    exchange->streamed = false;
    exchange->sending_ms = exchange->progress_ms = uv_now(exchange->stream->loop);
    buffer_init(&exchange->head, head_cap + exchange->headers.len);
    return !exchange->stream->closing;
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
        .headers = buffer_slice(&exchange->headers),
    };
    exchange->answer.status = response->status;
    if (exchange->headers.failed) exchange->head.failed = true;
    response_append_head(&exchange->head, response, &transfer);
}

/* Returns the piece as it is sent: compressed or plain. */
static const struct buffer *body_piece(const struct exchange *exchange)
{
    return is_packed(exchange) ? &exchange->packed : &exchange->piece;
}

/*
 * Continues to make the next piece. When the piece is complete, compresses it if needed. Returns 0,
 * UV_ENOMEM, or UV_EAGAIN if the piece is not complete yet.
 */
static int make_piece(struct exchange *exchange)
{
    struct buffer *piece = &exchange->piece;
    bool packed = is_packed(exchange);
    size_t want = packed ? PIECE_PACKED : PIECE;
    exchange->last = !exchange->body->fill(exchange->body, piece, want);
    if (piece->failed) return UV_ENOMEM;
    if (!exchange->last && piece->len < want) return UV_EAGAIN;
    if (!packed) return 0;
    buffer_clear(&exchange->packed);
    int result =
        compressor_write(&exchange->compressor, buffer_slice(piece), exchange->last, &exchange->packed);
    /*
     * Flushes the compressor if it gave no output: an empty chunk would end the body. Repeating until there
     * is output would take long.
     */
    if (result == 0 && exchange->packed.len == 0)
        result = compressor_flush(&exchange->compressor, &exchange->packed);
    return result;
}

static void on_written(struct stream *stream, int status);

/* Writes the head, if it was not sent yet, and the piece. Frames a chunk (RFC 9112, 7.1). */
static void write_piece(struct exchange *exchange)
{
    static char tail[] = "\r\n0\r\n\r\n"; /* the bytes that end a chunk, then the bytes that end the body */
    struct exchange_shared *shared = exchange->shared;
    struct buffer *head = &exchange->head;
    const struct buffer *data = body_piece(exchange);
    uv_buf_t buffers[3];
    unsigned count = 0;

    if (exchange->last) release_body(exchange);
    if (exchange->chunked && data->len) buffer_printf(head, "%zx\r\n", data->len);
    if (head->len) buffers[count++] = uv_buf_init(head->data, (unsigned) head->len);
    if (data->len) buffers[count++] = uv_buf_init(data->data, (unsigned) data->len);
    if (exchange->chunked) {
        size_t from = data->len ? 0 : 2, to = exchange->last ? sizeof(tail) - 1 : 2;
        buffers[count++] = uv_buf_init(tail + from, (unsigned) (to - from));
    }
    if (count == 0) {
        end_answer(exchange, 0); /* only closing the connection ends this body */
        return;
    }
    int result = head->failed ? UV_ENOMEM : stream_write(exchange->stream, buffers, count, on_written);
    if (result < 0) {
        end_answer(exchange, result);
        return;
    }
    for (unsigned n = 0; n < count; n++) exchange->answer.bytes += buffers[n].len;
    note_progress(exchange);
    /* A short answer does not make room: its caller may be walking the connections. */
    if (exchange->streamed && shared->unread_count > shared->max_unread)
        shared->shed_unread(shared, exchange);
}

void exchange_respond(struct exchange *exchange, const struct response *response, struct slice body)
{
    if (!begin_answer(exchange, HEAD_CAP + body.len)) {
        end_answer(exchange, UV_ECANCELED);
        return;
    }
    exchange->last = true;
    append_head(exchange, response, FRAMING_LENGTH, body.len);
    if (exchange->request.method != METHOD_HEAD) buffer_append_slice(&exchange->head, body);
    write_piece(exchange);
}

/* Answers 500 instead of the body. Possible only because nothing has been sent yet. */
static void respond_failure(struct exchange *exchange)
{
    struct response failure = {.status = 500, .content_type = "text/plain; charset=utf-8"};
    log_line_limited(LOG_ERROR, "cannot make an HTTP answer, the client gets status 500",
                     LOG_FIELD("err", uv_strerror(UV_ENOMEM)));
    release_body(exchange);
    compressor_deinit(&exchange->compressor);
    buffer_clear(&exchange->piece);
    exchange->last = true;
    append_head(exchange, &failure, FRAMING_LENGTH, 0);
    write_piece(exchange);
}

/* Answers HEAD without length and coding, because the body would have to be made to know them. */
static void respond_head(struct exchange *exchange, const struct response *response)
{
    release_body(exchange);
    exchange->last = true;
    append_head(exchange, response, FRAMING_CLOSE, 0);
    write_piece(exchange);
}

/* --- Bodies --- */

/* Chooses how the end of the body is marked. The length is known only if the first piece is the last one. */
static enum response_framing choose_framing(const struct exchange *exchange)
{
    if (exchange->last) return FRAMING_LENGTH;
    return exchange->request.minor > 0 ? FRAMING_CHUNKED : FRAMING_CLOSE;
}

/* Appends the head of a body whose first piece has been made. */
static void append_body_head(struct exchange *exchange)
{
    enum response_framing framing = choose_framing(exchange);
    exchange->streamed = true;
    exchange->chunked = framing == FRAMING_CHUNKED;
    if (framing == FRAMING_CLOSE) exchange->keep_alive = false;
    append_head(exchange, &exchange->response, framing, body_piece(exchange)->len);
}

/* Makes and sends the next piece. Returns false if making the piece needs more time. */
static bool send_next(struct exchange *exchange)
{
    bool first = exchange->answer.status == 0;
    int result = make_piece(exchange);
    if (result == UV_EAGAIN) return false;
    if (result == 0) {
        if (first) append_body_head(exchange);
        write_piece(exchange);
    } else if (first) {
        respond_failure(exchange);
    } else {
        log_line_limited(LOG_ERROR, "cannot finish an HTTP answer, the client gets only a part of it",
                         LOG_FIELD("err", uv_strerror(result)));
        end_answer(exchange, result);
    }
    return true;
}

static void on_turn(struct work_budget_ticket *ticket);

static void wait_for_turn(struct exchange *exchange)
{
    work_budget_wait(&exchange->shared->work, &exchange->ticket, peer_is_regular(exchange->peer), on_turn);
}

static void on_turn(struct work_budget_ticket *ticket)
{
    struct exchange *exchange = container_of(ticket, struct exchange, ticket);
    if (!send_next(exchange)) wait_for_turn(exchange);
}

/* Sends the next piece now, or in later turns of the loop if it takes long or many others are answered. */
static void send_in_turn(struct exchange *exchange)
{
    struct work_budget *work = &exchange->shared->work;
    while (work_budget_begin(work)) {
        bool sent = send_next(exchange);
        work_budget_end(work);
        if (sent) return;
    }
    wait_for_turn(exchange);
}

static void on_written(struct stream *stream, int status)
{
    struct exchange *exchange = stream->context;
    set_unread(exchange, false);
    if (status < 0 || exchange->last) {
        end_answer(exchange, status);
    } else {
        buffer_clear(&exchange->head);
        buffer_clear(&exchange->piece);
        send_in_turn(exchange);
    }
}

void exchange_stream(struct exchange *exchange, const struct response *response, struct producer *body)
{
    bool alive = begin_answer(exchange, HEAD_CAP), head = exchange->request.method == METHOD_HEAD;
    struct slice accepted = exchange->request.headers[HEADER_ACCEPT_ENCODING];
    enum coding coding = head ? CODING_IDENTITY : coding_choose(accepted);
    int result = alive ? 0 : UV_ECANCELED;
    exchange->response = *response;
    exchange->body = body;
    buffer_init(&exchange->piece, PIECE_CAP);
    buffer_init(&exchange->packed, PIECE_CAP);
    if (result == 0 && coding != CODING_IDENTITY) result = compressor_init(&exchange->compressor, coding);
    if (result < 0)
        end_answer(exchange, result);
    else if (head)
        respond_head(exchange, response);
    else
        send_in_turn(exchange);
}
