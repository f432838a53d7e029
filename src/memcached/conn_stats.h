/*
 * Counts the connections that `stats conns` lists. Lines are added up as they arrive and are not kept, since
 * a server may have tens of thousands of connections. Pure.
 *
 * Listening and UDP sockets are counted by state like all others, but are left out of the idle times.
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

/* Queues that requests of a connection may wait in (1.6.27 to 1.6.34). */
enum connection_queue { QUEUE_EXTSTORE, QUEUE_PROXY, QUEUE_UNKNOWN, QUEUE_COUNT };
const char *connection_queue_name(enum connection_queue queue);

/* What the lines of one connection have said so far. */
struct connection_lines {
    bool any;
    uint64_t number;
    bool udp; /* a UDP socket; since 1.5.13 a line says so, before that only the address does */
    bool listening;
    bool has_state, has_idle;
    unsigned listener, state; /* places in the name sets */
    uint64_t idle_s;
};

/* Plain data: may be copied by assignment. */
struct conn_stats {
    struct name_set listeners; /* "" for unknown: listening and UDP sockets, and servers before 1.5.17 */
    struct name_set states;
    uint32_t counts[NAME_SET_MAX + 1]
                   [NAME_SET_MAX + 1];         /* connections by place of the listener and of the state */
    uint64_t idle[CONN_STATS_IDLE_BOUNDS + 1]; /* connections by idle time; not cumulative */
    uint64_t idle_sum_s;
    uint64_t udp_sockets;
    uint64_t responses_waiting, queues_waiting;
    uint64_t queued[QUEUE_COUNT];
    struct connection_lines current; /* counted when the next connection begins */
};

void conn_stats_init(struct conn_stats *connections);

/* Reads one line. Ignores unknown keys. Counts in `wrong` a value that should be a number but is not. */
void conn_stats_add(struct conn_stats *connections, struct slice key, struct slice value, unsigned *wrong);

/* Counts the last connection. Nothing may be added afterwards. */
void conn_stats_finish(struct conn_stats *connections);

#endif
