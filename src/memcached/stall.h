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

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/*
 * A kept connection may say nothing for a third of the poll's time, and at most for so long, before a fresh
 * one is dialled beside it.
 */
#define STALL_MS 200

/*
 * Of one client. Each time that a fresh connection was needless, since the server is only slow, the client
 * waits twice as long the next time, until the server is quick again or a fresh connection was needed.
 */
struct stall_patience {
    bool doubted;     /* in this poll a fresh connection was dialled beside the kept one */
    uint8_t needless; /* how often in a row that was needless */
};

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

/* For how long a kept connection may be silent in a poll that has so much time. */
uint64_t stall_patience_ms(const struct stall_patience *patience, uint64_t timeout_ms);

/* The poll is answered on the kept connection or on a fresh one; it was asked at that time of uv_hrtime(). */
void stall_learn(struct stall_patience *patience, bool kept, uint64_t asked_ns);

/* on_close runs once, from the loop. No channel may be watched. */
void stall_close(struct stall *stall, stall_close_fn on_close);

#endif
