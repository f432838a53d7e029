/*
 * One request and its answer. Frames, compresses and writes the answer. Private to http/; handlers use only
 * the functions in server.h.
 *
 *     exchange_begin -> the handler -> exchange_respond or exchange_stream -> [on_end]
 *
 * The connection embeds one exchange and uses it for all its requests, one after the other.
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
    EXCHANGE_SENDING, /* the answer has begun; a piece is being made or written */
};

/*
 * Runs when the answer has been sent (status 0) or cannot be sent (negative). After a failure the connection
 * must be closed.
 */
typedef void (*exchange_end_fn)(struct exchange *exchange, int status);

/* Data that all exchanges of one server share. */
struct exchange_shared {
    server_observer_fn observer; /* function that gets a report of each answer; NULL for none */
    void *observer_context;
    struct work_budget work; /* time per turn of the loop for new clients, requests and bodies */
    /*
     * Exchanges whose client has not read all written bytes. Sorted by progress_ms: the one that has stalled
     * longest is first.
     */
    struct list unread;
    unsigned unread_count;
    unsigned max_unread; /* beyond that, `shed_unread` is called */
    void (*shed_unread)(struct exchange_shared *shared, const struct exchange *last);
    struct list working; /* exchanges that hold a place, oldest first */
    unsigned working_count;

    /*
     * Called when more than `places` are held, including that of `asker`. Aborts another exchange if
     * possible. Returns true if the asker may keep its place.
     */
    bool (*make_place)(struct exchange_shared *shared, const struct exchange *asker, unsigned places);
};

struct exchange {
    enum exchange_phase phase;
    struct stream *stream;          /* borrowed; stream->context points to this exchange */
    struct exchange_shared *shared; /* borrowed */
    exchange_end_fn on_end;
    void (*on_abort)(void *context); /* NULL: the handler cannot be aborted */
    void *abort_context;
    struct request request;
    bool keep_alive;       /* true if the connection stays open after this answer */
    struct peer *peer;     /* borrowed; the peer of the client's address */
    struct link working;   /* in shared->working while the exchange holds a place */
    unsigned listener;     /* index of the listener that accepted the client */
    struct buffer headers; /* additional headers, copied by exchange_set_headers */
    uint64_t begun_ns;
    struct answer_report answer; /* status 0 until the answer has a head */

    /* How fast the client reads the answer. */
    struct link unread;   /* in shared->unread while the client has not read all written bytes */
    size_t left;          /* bytes that the kernel had not taken at progress_ms */
    uint64_t progress_ms; /* loop time of the last write, or of the last check that saw the client read */
    uint64_t sending_ms;  /* loop time of the beginning of the answer */

    /* The answer. Between two answers, all these fields are empty. */
    struct response response;
    struct producer *body;            /* owned; NULL after it is released */
    struct work_budget_ticket ticket; /* ticket for a turn of the loop, for the handler or the next piece */
    bool last;                        /* true if the current piece is the last one */
    bool chunked;
    bool streamed;        /* true for a body from exchange_stream, false for a short answer */
    struct buffer head;   /* bytes before the piece: the head of the answer, the size of the chunk */
    struct buffer piece;  /* the piece as the producer made it */
    struct buffer packed; /* the piece, compressed */
    struct compressor compressor;
};

void exchange_init(struct exchange *exchange, struct stream *stream, struct exchange_shared *shared,
                   exchange_end_fn on_end);

/*
 * Begins an exchange; the request must then be answered. The slices of `request` and `peer` must stay valid
 * until on_end.
 */
void exchange_begin(struct exchange *exchange, const struct request *request, struct peer *peer);

/*
 * Returns true if the client takes longer to read the answer than `limits` allow. The sweep calls it. It also
 * notes if the client has read anything since the last check or write. While the handler works, returns
 * false: the handler has its own deadline.
 */
bool exchange_is_late(struct exchange *exchange, const struct server_limits *limits);

/* Returns true if the handler has not seen the request yet, or works on it and can be aborted. */
bool exchange_is_abortable(const struct exchange *exchange);

/*
 * Takes the request away from its handler if exchange_is_abortable. The caller must then answer instead.
 * Returns false if the exchange is not abortable.
 */
bool exchange_take_over(struct exchange *exchange);

/*
 * The connection calls this when its stream is closing. Aborts the handler or stops sending. A handler
 * without an abort callback may still answer; on_end then runs later.
 */
void exchange_cancel(struct exchange *exchange);

/* Returns true if a request was begun and on_end has not run yet. The memory must then stay valid. */
bool exchange_is_busy(const struct exchange *exchange);

#endif
