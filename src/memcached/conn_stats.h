/*
 * Counts the connections that `stats conns` lists. The lines are added up as they arrive and are not kept,
 * since a server may have tens of thousands of connections. Pure.
 *
 * Listening and UDP sockets are counted by state like all others, but left out of the idle times.
 */
#ifndef MEMCACHED_CONN_STATS_H
#define MEMCACHED_CONN_STATS_H

#include "base/slice.h"
#include "memcached/name_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Upper bounds of the idle times, in seconds. */
#define CONN_STATS_IDLE_BOUNDS 9
extern const double conn_stats_idle_bounds[CONN_STATS_IDLE_BOUNDS];

/* What requests of a connection may be queued for (1.6.27 to 1.6.34). */
enum connection_queue { QUEUE_EXTSTORE, QUEUE_PROXY, QUEUE_UNKNOWN, QUEUE_COUNT };
const char *connection_queue_name(enum connection_queue queue);

/* The lines of one connection. */
struct connection_lines {
    bool any;
    uint64_t number;
    bool udp; /* says so since 1.5.13; before, only its address does */
    bool listening;
    bool has_state, has_idle;
    unsigned listener, state; /* places */
    uint64_t idle_s;
};

/* Plain data: may be copied. */
struct conn_stats {
    struct name_set listeners; /* "" is unknown: listening and UDP sockets, servers before 1.5.17 */
    struct name_set states;
    uint32_t counts[NAME_SET_MAX + 1][NAME_SET_MAX + 1]; /* by places of listener and state */
    uint64_t idle[CONN_STATS_IDLE_BOUNDS + 1];           /* not cumulative */
    uint64_t idle_sum_s;
    uint64_t udp_sockets;
    uint64_t responses_waiting, queues_waiting;
    uint64_t queued[QUEUE_COUNT];
    struct connection_lines current; /* is counted when another begins */
};

void conn_stats_init(struct conn_stats *connections);

/*
 * Reads one line and ignores unknown keys. A value that should be a number but is not is counted in `wrong`.
 */
void conn_stats_add(struct conn_stats *connections, struct slice key, struct slice value, unsigned *wrong);

/* Counts the last connection; nothing may be added afterwards. */
void conn_stats_finish(struct conn_stats *connections);

#endif
