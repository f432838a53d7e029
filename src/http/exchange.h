/*
 * One request and the answer that is owed to it: how an answer is framed, compressed and written. Private to
 * http/; handlers see only the functions in server.h.
 *
 *     exchange_begin -> the handler -> exchange_respond or exchange_stream -> [on_end]
 *
 * The connection embeds one exchange, which serves all its requests, one after the other.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/buffer.h"
#include "http/compressor.h"
#include "http/request.h"
#include "http/server.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum exchange_phase {
    EXCHANGE_NONE,
    EXCHANGE_OWED,    /* the handler has not answered yet */
    EXCHANGE_SENDING, /* a piece is being written or compressed */
};

/* The answer is sent (0), or cannot be (negative): the connection must then be closed. */
typedef void (*exchange_end_fn)(struct exchange *exchange, int status);

/* Who is told of answers; shared by all exchanges of a server. */
struct exchange_observer {
    server_observer_fn call; /* NULL for nobody */
    void *context;
};

struct exchange {
    enum exchange_phase phase;
    struct stream *stream; /* borrowed; its context is this exchange */
    exchange_end_fn on_end;
    void (*on_abort)(void *context); /* or NULL */
    void *abort_context;
    struct request request;
    bool keep_alive;           /* the connection is to live on after this answer */
    uint64_t write_started_ms; /* the last one, in loop time */
    uint64_t begun_ns;
    const struct exchange_observer *observer; /* borrowed */
    struct answer_report answer;              /* status 0 until it is begun */

    /* The answer; nothing of it is there between two. */
    struct source *body; /* taken over; NULL once it is released */
    bool last;           /* no piece follows the one at hand */
    bool chunked;
    bool working;         /* the thread pool has compressor, piece and packed */
    struct buffer head;   /* goes before the piece: the answer's head, the chunk's size */
    struct buffer piece;  /* as the body gave it */
    struct buffer packed; /* the same, compressed */
    struct compressor compressor;
    uv_work_t work;
    int work_result;
};

void exchange_init(struct exchange *exchange, struct stream *stream, const struct exchange_observer *observer,
                   exchange_end_fn on_end);

/* An answer is owed from here on. The request's slices stay good until on_end. */
void exchange_begin(struct exchange *exchange, const struct request *request);

/*
 * For a connection whose stream is closing: aborts, or stops sending. on_end still comes, later, if the
 * thread pool is at work or if the handler has set no abort callback and may therefore still answer.
 */
void exchange_cancel(struct exchange *exchange);

/* Whether on_end is due: the memory must stay. */
bool exchange_is_busy(const struct exchange *exchange);

#endif
