/*
 * Detects kept connections that do not answer a request. This happens if a firewall has forgotten the
 * connection, or if the host is gone. Without this, the exporter would only notice at the end of the poll's
 * time.
 *
 * One timer serves all clients: thousands are asked at once, and nearly all answer in time.
 */
#ifndef MEMCACHED_STALL_H
#define MEMCACHED_STALL_H

#include "base/list.h"
#include "memcached/channel.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * Longest silence of a kept connection before a second connection is dialled. It is also at most a third of
 * the poll's time. See stall_patience for slow servers.
 */
#define STALL_MS 200

/*
 * Patience with the kept connections of one client. A second connection is needless if the server is only
 * slow. After each needless one, the next wait is twice as long. This ends when the server is quick again, or
 * when a second connection was needed.
 */
struct stall_patience {
    bool doubted;     /* this poll dialled a second connection */
    uint8_t needless; /* needless second connections in a row */
};

struct stall;

/* Called when a channel has been silent for its time. The channel is not watched any more. */
typedef void (*stall_fn)(struct channel *channel);
typedef void (*stall_close_fn)(struct stall *stall);

struct stall {
    uv_timer_t timer;
    struct list silent; /* channels, ordered by the time at which they are due */
    stall_fn on_stall;
    stall_close_fn on_close;
};

void stall_init(struct stall *stall, uv_loop_t *loop, stall_fn on_stall);

/* Calls on_stall once from the loop after `ms` milliseconds, unless the channel's link is removed before. */
void stall_watch(struct stall *stall, struct channel *channel, uint64_t ms);

/* Returns how long a kept connection may be silent in a poll of `timeout_ms`. */
uint64_t stall_patience_ms(const struct stall_patience *patience, uint64_t timeout_ms);

/*
 * Adapts the patience after an answer. `kept`: the kept connection answered, else the second one. `asked_ns`:
 * when the poll sent its requests, as uv_hrtime().
 */
void stall_learn(struct stall_patience *patience, bool kept, uint64_t asked_ns);

/* Closes the timer. on_close runs once, from the loop. No channel may be watched (asserted). */
void stall_close(struct stall *stall, stall_close_fn on_close);

#endif
