/*
 * A fan-out polls many targets at once, with one deadline and one callback when the last target is done.
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
 * Starts a fan-out that polls every target. Each target is asked for `stats` and for those of `commands` that
 * its profile allows. A snapshot may also hold the replies to commands of other callers of the same poll.
 *
 * `timeout_ms` limits the whole fan-out. UINT64_MAX means no limit, but a target that has not been asked
 * after FAN_OUT_TURN_MS is given up. Each target also has the time-out of its profile. That time-out begins
 * when its server is asked, and ends at the latest with the fan-out. Time in which the whole exporter stood
 * still does not count. Before a target is given up, bytes that have already arrived are read.
 *
 * Returns 0: on_done runs exactly once, from the loop, never inside this call, unless the fan-out is freed
 * before. It runs when every target has answered or its time is over. Returns a negative libuv code: on_done
 * never runs. The targets are borrowed until fan_out_free; the array is copied.
 */
int fan_out_start(struct fan_out **fan_out, struct fleet *fleet, struct target *const *targets, size_t count,
                  unsigned commands, uint64_t timeout_ms, fan_out_fn on_done, void *context);

size_t fan_out_count(const struct fan_out *fan_out);

/* Returns how many targets are done so far. */
size_t fan_out_done(const struct fan_out *fan_out);

const struct target *fan_out_target(const struct fan_out *fan_out, size_t n);

/*
 * Returns the snapshot of that target, borrowed. Call it only after on_done. NULL if there was no memory for
 * the poll.
 */
const struct snapshot *fan_out_snapshot(const struct fan_out *fan_out, size_t n);

/*
 * Ends the fan-out and gives up its unfinished polls. The targets may be released at once. The memory is
 * freed later from the loop, for a large fleet over several turns. NULL is allowed.
 */
void fan_out_free(struct fan_out *fan_out);

#endif
