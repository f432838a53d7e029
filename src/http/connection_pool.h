/*
 * All connections of one server: decides which are closed when there are too many, or when a client is too
 * slow. Private to http/.
 *
 * When the pool is full, a newcomer takes the place of another connection that waits: no request is being
 * answered on it. It is taken from the peer that has most connections, if it has more than the newcomer's own
 * peer. Among equals, the newcomer's own peer included, a connection is not closed in its first second: it
 * could not speak yet. Of several, one that never sent a whole request goes before one that did, and then the
 * one that has waited longest. A newcomer that finds no place is answered with 503.
 *
 * A few peers are trusted: those that received a scrape lately. Other peers do not take their places, and
 * when all places are taken, trusted peers may exceed the limit by a few. So nobody can lock out a Prometheus
 * that scrapes regularly.
 *
 * Answers whose clients do not read are limited too: they hold memory and places of --web.max-requests. When
 * there are too many, or a scrape finds no place, the one that has waited longest is closed.
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

/* Closes one that waits between requests, to get its descriptor. False when there is none. */
bool connection_pool_free_descriptor(struct connection_pool *pool);

/*
 * Closes connections that have exceeded a time limit. After very many connections, gives memory back to the
 * system.
 */
void connection_pool_sweep(struct connection_pool *pool);

#endif
