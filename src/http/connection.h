/*
 * One client's connection: reads request heads, has them answered one by one, and ends well. Private to
 * http/; see server.h for the phases and limits.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include "base/list.h"
#include "http/exchange.h"
#include "http/request.h"
#include "http/server.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* What the connections of one server share; part of the server. */
struct connections {
    uv_loop_t *loop;
    struct server_limits limits;
    server_handler_fn handler;
    void *handler_context;
    struct exchange_observer observer;
    uint64_t refused;                                 /* requests that no handler saw */
    struct list open;                                 /* those that are not closing */
    unsigned open_count;                              /* how many are in that list */
    unsigned rejecting;                               /* how many of these are being told 503 */
    unsigned allocated;                               /* the open ones, and those whose close is under way */
    void (*on_gone)(struct connections *connections); /* the memory of one has been freed */
};

enum connection_phase {
    CONNECTION_READING,   /* idle, or waiting for the rest of a head */
    CONNECTION_ANSWERING, /* the exchange is busy */
    CONNECTION_LINGERING, /* the last answer is sent; what the client still sends is thrown away */
    CONNECTION_CLOSING,
};

struct connection {
    struct connections *shared; /* borrowed */
    struct link link;           /* in shared->open */
    struct stream stream;
    struct request_reader reader; /* of the request at the front of head */
    struct exchange exchange;
    enum connection_phase phase;
    uint64_t since_ms; /* loop time: idle since; if bytes are there, since the first one; lingering since */
    bool reading;      /* the stream lends memory and reports */
    bool served;       /* has had an answer */
    bool rejected;     /* counted in shared->rejecting */
    bool closed;
    size_t drained; /* bytes thrown away */
    size_t len;     /* bytes in head */
    size_t used;    /* those of them that are the request being answered */
    char head[];    /* REQUEST_HEAD_MAX bytes */
};

/*
 * Accepts the connection that waits at the listener. With `reject` it is told 503 instead of being listened
 * to. UV_ENOMEM: it still waits, and nothing has changed. Any other failure ends in on_gone.
 */
int connection_accept(struct connections *shared, uv_stream_t *listener, bool reject);

/* Closes at once; aborts what was under way. Once, for one that is open. */
void connection_close(struct connection *connection);

/* Lets an answer that is due be the last one; closes a connection that waits for a request. */
void connection_finish(struct connection *connection);

/* Ends whatever has taken longer than its limit. */
void connection_sweep(struct connection *connection);

/*
 * Whether it may be closed to make room: it waits between requests, or has not sent a byte for longer than a
 * whole head may take. A client that has just come is not sent away before it could speak.
 */
bool connection_is_spare(const struct connection *connection);

#endif
