/*
 * One request and its answer: frames, compresses and writes the answer. Private to http/; handlers see only
 * the functions in server.h.
 *
 *     exchange_begin -> the handler -> exchange_respond or exchange_stream -> [on_end]
 *
 * The connection embeds one exchange, which serves all its requests, one after the other.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include "base/buffer.h"
#include "base/list.h"
#include "http/compressor.h"
#include "http/peers.h"
#include "http/request.h"
#include "http/server.h"
#include "net/stream.h"
#include "net/work_budget.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum exchange_phase {
    EXCHANGE_NONE,
    EXCHANGE_OWED,    /* the handler has not answered yet */
    EXCHANGE_SENDING, /* a piece is being written */
};

/* The answer is sent (0), or cannot be (negative): the connection must then be closed. */
typedef void (*exchange_end_fn)(struct exchange *exchange, int status);

/* What the exchanges of one server share. */
struct exchange_shared {
    server_observer_fn observer; /* told of each answer; NULL for nobody */
    void *observer_context;
    struct work_budget work; /* time of a turn for clients that come, requests and pieces of bodies */
    struct list unread; /* exchanges whose client has not taken all that was written; the one that has made
                           no progress for longest is the first */
    unsigned unread_count;
    unsigned max_unread; /* one more, and `shed_unread` is called */
    void (*shed_unread)(struct exchange_shared *shared, const struct exchange *last);
    struct list working; /* exchanges that hold a place, the oldest first */
    unsigned working_count;

    /*
     * The asker holds one more than `places`. Ends the work of another one if it can; whether the asker may
     * stay.
     */
    bool (*make_place)(struct exchange_shared *shared, const struct exchange *asker, unsigned places);
};

struct exchange {
    enum exchange_phase phase;
    struct stream *stream;          /* borrowed; its context is this exchange */
    struct exchange_shared *shared; /* borrowed */
    exchange_end_fn on_end;
    void (*on_abort)(void *context); /* or NULL */
    void *abort_context;
    struct request request;
    bool keep_alive;       /* the connection is to live on after this answer */
    struct peer *peer;     /* borrowed: where the client comes from */
    struct link working;   /* in shared->working while it holds a place */
    unsigned listener;     /* where the client came in */
    struct buffer headers; /* more headers of the answer, as exchange_set_headers got them */
    uint64_t begun_ns;
    struct answer_report answer; /* status 0 until it is begun */

    /* How fast the client takes it. */
    struct link unread;   /* in shared->unread */
    size_t left;          /* bytes that the kernel had not taken at that time: */
    uint64_t progress_ms; /* loop time; the last write, or when the client was last seen to take something */
    uint64_t sending_ms;  /* loop time; the answer's first write */

    /* The answer; nothing of it is there between two. */
    struct response response;
    struct producer *body;            /* taken over; NULL once it is released */
    struct work_budget_ticket ticket; /* waits for a turn, for the handler or the next piece */
    bool last;                        /* no piece follows the one at hand */
    bool chunked;
    bool streamed;        /* it is a body that exchange_stream has sent, not a line */
    struct buffer head;   /* goes before the piece: the answer's head, the chunk's size */
    struct buffer piece;  /* as the body gave it */
    struct buffer packed; /* the same, compressed */
    struct compressor compressor;
};

void exchange_init(struct exchange *exchange, struct stream *stream, struct exchange_shared *shared,
                   exchange_end_fn on_end);

/* From now on the request must be answered. Its slices stay valid until on_end, and so must the peer. */
void exchange_begin(struct exchange *exchange, const struct request *request, struct peer *peer);

/*
 * Whether the client takes longer for the answer than the limits say. Called by the sweep: checks whether the
 * client has read anything since the last check or write. A request that the handler works on has its own
 * deadline.
 */
bool exchange_is_late(struct exchange *exchange, const struct server_limits *limits);

/* Whether its handler has not seen it yet, or works on it and can be told to drop it. */
bool exchange_is_abortable(const struct exchange *exchange);

/*
 * Takes the request away from its handler, if it is abortable; the caller then answers in the handler's
 * place. False if it is not.
 */
bool exchange_take_over(struct exchange *exchange);

/*
 * For a connection whose stream is closing: aborts, or stops sending. on_end still comes, later, if the
 * handler has set no abort callback and may therefore still answer.
 */
void exchange_cancel(struct exchange *exchange);

/* Whether on_end is due: the memory must stay. */
bool exchange_is_busy(const struct exchange *exchange);

#endif
