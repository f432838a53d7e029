/*
 * The connection of one client: reads request heads, passes them to the handler one by one, and closes in a
 * way that does not lose the answer. Private to http/; see server.h for the phases and limits.
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
    CONNECTION_READING,   /* idle, or waiting for the rest of a head */
    CONNECTION_ANSWERING, /* the exchange is busy */
    CONNECTION_LINGERING, /* the last answer is sent; what the client still sends is thrown away */
    CONNECTION_CLOSING,
};

struct connection {
    /* What decides who is to go is read for all connections when the pool is full, so it lies together. */
    struct link link;             /* in pool->open */
    struct connection_pool *pool; /* borrowed */
    struct peer *peer;            /* where it comes from; NULL until that is known */
    uint64_t since_ms; /* loop time: idle since; if bytes are there, since the first one; lingering since */
    size_t len;        /* bytes in head */
    enum connection_phase phase;
    bool reading;   /* the stream lends memory and reports */
    bool served;    /* has had an answer */
    bool sent_body; /* its last answer was a whole body; whether the client has read that is not known */
    bool rejected;  /* counted in pool->rejecting */
    bool closed;

    struct stream stream;
    struct request_reader reader; /* of the request at the front of head */
    struct exchange exchange;
    size_t drained; /* bytes thrown away */
    size_t used;    /* those in head that are the request being answered */
    char head[];    /* REQUEST_HEAD_MAX bytes */
};

/*
 * Accepts the connection that waits at the listener, whose number it keeps, secures it if the pool wants
 * that, and makes room for it or tells it 503. UV_ENOMEM: it still waits, and nothing has changed. Any other
 * failure ends in on_gone.
 */
int connection_accept(struct connection_pool *pool, uv_stream_t *listener, unsigned number);

/* Closes at once; aborts what was under way. Once, for one that is open. */
void connection_close(struct connection *connection);

/* Closes the connection after the answer under way, or at once if it waits for a request. */
void connection_finish(struct connection *connection);

/*
 * Tells 503 and the reason to a client whose request is being worked on, and then closes; any other
 * connection is closed at once.
 */
void connection_turn_away(struct connection *connection, const char *why);

/* Ends whatever has taken longer than its limit. */
void connection_sweep(struct connection *connection);

/*
 * Whether no request is being answered: the connection waits for a head, for the rest of one, or for the
 * client to close.
 */
bool connection_waits(const struct connection *connection);

/*
 * Whether a waiting connection may be closed for a newcomer: it was served and is idle, or has had enough
 * time to send a head.
 */
bool connection_had_its_time(const struct connection *connection);

#endif
