/*
 * One fan-out: polls many targets at once, with one deadline and one callback when the last one is done.
 */
#ifndef MEMCACHED_FAN_OUT_H
#define MEMCACHED_FAN_OUT_H

#include "memcached/fleet.h"
#include "memcached/snapshot.h"

#include <stddef.h>
#include <stdint.h>

struct fan_out;

#define FAN_OUT_TURN_MS 10000

typedef void (*fan_out_fn)(void *context);

/*
 * Polls every target, asking of the set of commands what the target allows, and `stats`; a snapshot may hold
 * what others asked in the same poll.
 *
 * `timeout_ms` bounds the whole fan-out; with UINT64_MAX, no target waits for its turn for more than
 * FAN_OUT_TURN_MS. A target's own time begins when its server is asked, and ends with the fan-out's at the
 * latest. It stands still while the exporter does not run, as far as the loop's clock shows that, and before
 * a target is given up, what has arrived from its server is read.
 *
 * 0: on_done runs exactly once, from the loop, never inside this call, when the last target has answered or
 * its time is over, unless the fan-out is freed before. Negative libuv code: never. The targets are borrowed
 * until fan_out_free; the array is copied.
 */
int fan_out_start(struct fan_out **fan_out, struct fleet *fleet, struct target *const *targets, size_t count,
                  unsigned commands, uint64_t timeout_ms, fan_out_fn on_done, void *context);

size_t fan_out_count(const struct fan_out *fan_out);
const struct target *fan_out_target(const struct fan_out *fan_out, size_t n);

/* What that target said; after on_done. NULL when there was no memory to poll it. */
const struct snapshot *fan_out_snapshot(const struct fan_out *fan_out, size_t n);

/*
 * Ends it and gives up what is not done: the targets are free then. The loop frees it later, the snapshots of
 * a large fleet over several turns. NULL is taken.
 */
void fan_out_free(struct fan_out *fan_out);

#endif
