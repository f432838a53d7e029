/*
 * Pushes expositions to a Pushgateway at a fixed interval.
 *
 * At every tick of the interval, a push asks its owner to collect and streams the result. At most one push is
 * under way; ticks during a push are skipped. After failures the delay grows (up to ten intervals or five
 * minutes). The first failure and the first success after failures are logged; the failures in between only
 * at level debug.
 *
 * Uses only base/, libuv and net/'s way to libcurl, which must have been built with its threaded resolver or
 * c-ares. SIGPIPE must be ignored.
 */
#ifndef OUTPUTS_PUSH_H
#define OUTPUTS_PUSH_H

#include "base/producer.h"
#include "outputs/push_config.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* How long a push under way, and then the DELETE, may each take when the group is deleted on exit. */
#define PUSH_EXIT_MS 2000

struct push;
struct gateway;

/* Answers with push_deliver, once, from inside this call or later. */
typedef void (*push_collect_fn)(struct push *push);

typedef void (*push_close_fn)(struct push *push);

/* For the exporter's own metrics. A push that was cancelled by push_close counts nowhere. */
struct push_counts {
    uint64_t attempts; /* pushes that have ended, well or not */
    uint64_t failures;
};

enum push_phase {
    PUSH_WAITING, /* for a tick */
    PUSH_COLLECTING,
    PUSH_SENDING,
    PUSH_DELETING,
};

/* Embedded in its owner, which reads only the counts. */
struct push {
    struct push_counts counts;
    const struct push_config *config; /* borrowed */
    uv_timer_t timer;
    struct gateway *gateway; /* NULL until a tick could make it */
    push_collect_fn collect;
    enum push_phase phase;
    uint64_t started_ms; /* the last tick, in loop time */
    unsigned failing;    /* failures in a row */
    bool sent;           /* the gateway may have got something */
    bool closing;
    unsigned parts; /* timer and gateway, until they are closed */
    push_close_fn on_close;
};

/*
 * The first tick comes at the loop's next turn. Cannot fail: a push that cannot be set up is a failed push,
 * and is tried again. The config has been checked and is borrowed until on_close.
 */
void push_start(struct push *push, uv_loop_t *loop, const struct push_config *config,
                push_collect_fn collect);

/*
 * The exposition that was asked for, or NULL if there is none, which is a failed push. The producer is taken
 * over and released once: when it is sent, has failed or is not wanted any more. It may not call back into
 * the push while it fills.
 */
void push_deliver(struct push *push, struct producer *producer);

/*
 * Ends it; on_close runs once, from the loop. It collects no more, but an exposition that is still due is
 * waited for. What is being sent is cancelled; if the group is to be deleted on exit and anything has ever
 * been sent, it first gets PUSH_EXIT_MS to end, since a gateway could otherwise work it off after the DELETE,
 * which then gets as long.
 */
void push_close(struct push *push, push_close_fn on_close);

#endif
