/*
 * Detects kept connections that do not answer a request: if a firewall has forgotten the connection, or the
 * host is gone, the exporter would otherwise notice only when the time of the poll is over.
 *
 * One timer serves all clients, since thousands are asked at once and nearly all of them answer in time.
 */
#ifndef MEMCACHED_STALL_H
#define MEMCACHED_STALL_H

#include "base/list.h"
#include "memcached/channel.h"

#include <stdint.h>
#include <uv.h>

struct stall;

/* The channel has been silent for its time; it is not watched any more. */
typedef void (*stall_fn)(struct channel *channel);
typedef void (*stall_close_fn)(struct stall *stall);

struct stall {
    uv_timer_t timer;
    struct list silent; /* channels, the first to be due first */
    stall_fn on_stall;
    stall_close_fn on_close;
};

void stall_init(struct stall *stall, uv_loop_t *loop, stall_fn on_stall);

/*
 * Calls on_stall once from the loop after so many milliseconds, unless the channel's link is removed before.
 */
void stall_watch(struct stall *stall, struct channel *channel, uint64_t ms);

/* on_close runs once, from the loop. No channel may be watched. */
void stall_close(struct stall *stall, stall_close_fn on_close);

#endif
