/*
 * One client's connection. Reads request heads, passes the requests to the handler one by one, and closes
 * without losing the answer. Private to http/; see server.h for the phases and limits.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "base/list.h"
#include "http/connection_pool.h"
#include "http/exchange.h"
#include "http/request.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

enum connection_phase {
    CONNECTION_SECURING,  /* the TLS handshake is under way */
    CONNECTION_READING,   /* idle, or waiting for the rest of a request head */
    CONNECTION_ANSWERING, /* a request is being handled or its answer sent */
    CONNECTION_LINGERING, /* the last answer is sent; bytes that still arrive are discarded */
    CONNECTION_CLOSING,
};

struct connection {
    /*
     * These fields decide which connection is closed when the pool is full. They are read for all
     * connections, so they are placed together.
     */
    struct link link;             /* in pool->open */
    struct connection_pool *pool; /* borrowed */
    struct peer *peer;            /* peer of the client's address; NULL until that is known */
    /*
     * Loop time since when the connection is idle or lingering. While a head arrives: time of its first
     * bytes.
     */
    uint64_t since_ms;
    size_t len; /* number of bytes in `head` */
    enum connection_phase phase;
    bool reading;   /* true while the stream reads */
    bool served;    /* true after the first answer */
    bool sent_body; /* true if the last answer was a complete body and the client may not have read it yet */
    bool rejected;  /* true if counted in pool->rejecting */
    bool closed;

    struct stream stream;
    struct request_reader reader; /* reader of the request at the start of `head` */
    struct exchange exchange;
    size_t drained; /* number of bytes discarded while lingering */
    size_t used;    /* number of bytes in `head` that belong to the request being answered */
    char head[];    /* REQUEST_HEAD_MAX bytes */
};

/*
 * Accepts the waiting connection of the listener with this number. Begins TLS if the pool uses it. Makes room
 * for the connection or answers it with 503. Returns 0 or UV_ENOMEM. After UV_ENOMEM, the connection still
 * waits at the listener. Any other failure closes the connection, and on_gone runs.
 */
int connection_accept(struct connection_pool *pool, uv_stream_t *listener, unsigned number);

/* Closes the connection at once and aborts its request. Call it at most once. */
void connection_close(struct connection *connection);

/* Closes the connection after the current answer, or at once if it waits for a request. */
void connection_finish(struct connection *connection);

/*
 * If a request is being handled and can be aborted, answers 503 with the reason `why` and then closes.
 * Otherwise closes the connection at once.
 */
void connection_turn_away(struct connection *connection, const char *why);

/* Closes the connection, or refuses its request, if a time limit is exceeded. */
void connection_sweep(struct connection *connection);

/*
 * Returns true if no request is being answered: the connection waits for a head, for the rest of one, or for
 * the client to close.
 */
bool connection_waits(const struct connection *connection);

/*
 * Returns true if a waiting connection may be closed for a newcomer. That is so if it is idle after an
 * answer, or has had enough time to send a head.
 */
bool connection_had_its_time(const struct connection *connection);

#endif
