/*
 * All connections of one server: decides which are closed when there are too many, or when a client is too
 * slow. Private to http/.
 *
 * Three things are limited: connections, places for requests that are worked on (exchange_take_place), and
 * answers whose clients do not read. One rule shares each of them by address. When all are taken, the
 * address that has most loses one to an address that would have less. Among equals, and to itself, an
 * address loses what has had its time. A few regular addresses (peers.h) come first: nobody else takes the
 * few things that they have, others give way to them at once, and they may exceed a limit by a few. So
 * nobody can lock out a Prometheus that scrapes regularly.
 *
 * - A connection can be lost while it waits: no request is being answered on it. It has had its time when
 *   it is idle between two requests, has been silent for a second, or somebody else comes. Of several, one
 *   that never sent a whole request goes before one that did, and then the one that has waited longest. A
 *   newcomer that finds no place is answered with 503.
 * - A place is lost with the work on a request: its client is told 503. It has had its time when the client
 *   has not read its answer for a moment. Of several, the one that has stalled longest goes, or else the one
 *   that began last.
 * - An answer that is not read is cut off. It has had its time after a moment. Of several, the one that has
 *   stalled longest goes.
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

/* Part of the server. */
struct connection_pool {
    uv_loop_t *loop;
    struct server_limits limits;
    server_handler_fn handler;
    void *handler_context;
    server_secure_fn secure; /* NULL for plain connections */
    void *secure_context;
    struct exchange_shared exchanges;
    struct peers peers;
    struct server_counts counts;                   /* all but `open` */
    struct list open;                              /* connections that are not closing */
    unsigned open_count;                           /* how many are in that list */
    unsigned rejecting;                            /* how many of these are being told 503 */
    unsigned allocated;                            /* the open ones, and those whose close is under way */
    unsigned crowd;                                /* the most that were open since memory was given back */
    void (*on_gone)(struct connection_pool *pool); /* the memory of one has been freed */
};

void connection_pool_init(struct connection_pool *pool, uv_loop_t *loop, const struct server_limits *limits);

/* When all connections are gone. */
void connection_pool_deinit(struct connection_pool *pool);

/* Makes room for a newcomer, who is counted already. False when it must be rejected. */
bool connection_pool_admit(struct connection_pool *pool, const struct connection *newcomer);

/* Closes one that waits and has had its time, to get its descriptor. False when there is none. */
bool connection_pool_free_descriptor(struct connection_pool *pool);

/*
 * Closes connections that have exceeded a time limit. After very many connections, gives memory back to the
 * system.
 */
void connection_pool_sweep(struct connection_pool *pool);

#endif
