/*
 * Holds all connections of one server. Decides which ones to close when there are too many or a client is too
 * slow. Private to http/.
 *
 * The pool limits three things: connections, places for requests in progress (exchange_take_place), and
 * answers whose clients do not read. All three are shared by client address (peers.h), by the same rule. At
 * the limit, the address that holds most loses one to an address that would hold less. An address with the
 * same number loses only what has "had its time"; so does the asking address itself. A few regular addresses
 * (peers.h) have priority. Other addresses cannot take the few things that regular addresses hold, and must
 * give way to them at once. Regular addresses may also exceed a limit by a few. So nobody can lock out a
 * Prometheus that scrapes regularly.
 *
 * - A connection can be closed while no request is being answered on it. It has had its time if it is idle
 *   between two requests, if it has been silent for a second, or if the newcomer has another address. If
 *   several qualify, connections that never sent a complete request go first, then the ones that have waited
 *   longest. A newcomer that gets no connection is answered with 503.
 * - A request that loses its place is aborted, and its client gets 503. It has had its time if the client has
 *   not read its answer for a moment. If several qualify, the one that has stalled longest goes first. If
 *   none has stalled, the one that began last goes.
 * - An unread answer is cut off. It has had its time after a moment. If several qualify, the one that has
 *   stalled longest goes first.
 */
#ifndef HTTP_CONNECTION_POOL_H
#define HTTP_CONNECTION_POOL_H

#include "base/list.h"
#include "http/exchange.h"
#include "http/peers.h"
#include "http/server.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct connection;

/* Embedded in struct server. */
struct connection_pool {
    uv_loop_t *loop;
    struct server_limits limits;
    server_handler_fn handler;
    void *handler_context;
    server_secure_fn secure; /* NULL without TLS */
    void *secure_context;
    struct exchange_shared exchanges;
    struct peers peers;
    struct server_counts counts; /* all counts except `open` */
    struct list open;            /* connections that are not closing */
    unsigned open_count;         /* number of connections in the list above */
    unsigned rejecting;          /* number of open connections that are being told 503 */
    /* Number of open connections, plus those that are being closed. */
    unsigned allocated;
    /* Highest number of open connections since memory was last given back. */
    unsigned crowd;
    void (*on_gone)(struct connection_pool *pool); /* runs after a connection was freed */
};

void connection_pool_init(struct connection_pool *pool, uv_loop_t *loop, const struct server_limits *limits);

/* Call it when all connections are gone. */
void connection_pool_deinit(struct connection_pool *pool);

/* Makes room for `newcomer`, which is already in `open`. Returns false if it must be rejected. */
bool connection_pool_admit(struct connection_pool *pool, const struct connection *newcomer);

/*
 * Closes a waiting connection that has had its time, to free its descriptor. Returns false if there is none.
 */
bool connection_pool_free_descriptor(struct connection_pool *pool);

/*
 * Closes connections that have exceeded a time limit. After a crowd of connections, returns memory to the
 * system.
 */
void connection_pool_sweep(struct connection_pool *pool);

#endif
