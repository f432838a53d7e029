/*
 * Pushes expositions to a Pushgateway at a fixed interval, or a single time.
 *
 * At every tick of the interval, a push asks its owner to collect and streams the result. At most one push is
 * in progress; ticks during a push are skipped. After failures the delay grows (up to ten intervals or five
 * minutes). The first failure and the first success after failures are logged. The failures in between are
 * logged only at level debug.
 *
 * Uses only base/, libuv and the libcurl wrapper in net/. libcurl must have been built with its threaded
 * resolver or with c-ares. The process must ignore SIGPIPE.
 */
#ifndef OUTPUTS_PUSH_H
#define OUTPUTS_PUSH_H

#include "base/producer.h"
#include "outputs/push_config.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* If the group is deleted on exit: time limit of a push in progress, and then of the DELETE. */
#define PUSH_EXIT_MS 2000

struct push;
struct gateway;

/* Asks the owner for an exposition. The owner calls push_deliver once, inside this call or later. */
typedef void (*push_collect_fn)(struct push *push);

/* Tells the owner that the only push has ended. */
typedef void (*push_once_fn)(struct push *push, bool sent);

typedef void (*push_close_fn)(struct push *push);

/* Counts for the exporter's own metrics. A push that push_close cancels is not counted. */
struct push_counts {
    uint64_t attempts; /* finished pushes, including failures */
    uint64_t failures;
};

enum push_phase {
    PUSH_WAITING, /* waiting for a tick */
    PUSH_COLLECTING,
    PUSH_SENDING,
    PUSH_DELETING,
};

/* Embedded in its owner, which may read only the counts. */
struct push {
    struct push_counts counts;
    const struct push_config *config; /* borrowed */
    uv_timer_t timer;
    struct gateway *gateway; /* NULL until a tick has made it */
    push_collect_fn collect;
    push_once_fn on_once; /* NULL unless there is a single push */
    enum push_phase phase;
    uint64_t started_ms; /* loop time of the last tick */
    unsigned failing;    /* failures in a row */
    bool sent;           /* the gateway may have received something */
    bool closing;
    unsigned parts; /* timer and gateway that are not closed yet */
    push_close_fn on_close;
};

/*
 * Starts pushing; the first tick comes in the next turn of the loop. Cannot fail: if the set-up fails, that
 * is a failed push, and it is tried again. `config` must have been checked. It is borrowed until on_close.
 *
 * If on_once is not NULL, there is a single push, and no second try. on_once runs when it has ended, unless
 * push_close comes first; it may call push_close.
 */
void push_start(struct push *push, uv_loop_t *loop, const struct push_config *config, push_collect_fn collect,
                push_once_fn on_once);

/*
 * Delivers the exposition that `collect` asked for. NULL means that there is none, which is a failed push.
 * Takes ownership of the producer and releases it once: when it is sent, has failed or is not needed any
 * more. While it fills, the producer must not call back into the push.
 */
void push_deliver(struct push *push, struct producer *producer);

/*
 * Ends pushing; on_close runs once, from the loop. `collect` is not called any more. If push_deliver is still
 * due, push_close waits for it. A push in progress is cancelled. But if the group is deleted on exit, the
 * push first gets PUSH_EXIT_MS to finish, because a gateway could otherwise process the push after the
 * DELETE. If anything was ever sent, the DELETE then gets the same time.
 */
void push_close(struct push *push, push_close_fn on_close);

#endif
