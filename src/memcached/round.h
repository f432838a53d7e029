/*
 * One fan-out: many targets asked at once, one deadline, one callback when all is said.
 */
#ifndef MEMCACHED_ROUND_H
#define MEMCACHED_ROUND_H

#include "memcached/fleet.h"
#include "memcached/snapshot.h"

#include <stddef.h>
#include <stdint.h>

struct round;

typedef void (*round_fn)(void *context);

/*
 * Polls every target, asking of the set of commands what the target allows, and `stats`; a snapshot may hold
 * what others asked in the same poll. A target has the least of `timeout_ms` and its own time; UINT64_MAX is
 * without end. 0: on_done runs exactly once, from the loop, never inside this call, when the last target has
 * answered or the deadline is over, unless the round is freed before. Negative libuv code: never. The targets
 * are borrowed until round_free; the array is copied.
 */
int round_start(struct round **round, struct fleet *fleet, struct target *const *targets, size_t count,
                unsigned commands, uint64_t timeout_ms, round_fn on_done, void *context);

size_t round_count(const struct round *round);
const struct target *round_target(const struct round *round, size_t n);

/* What that target said; after on_done. NULL when there was no memory to poll it. */
const struct snapshot *round_snapshot(const struct round *round, size_t n);

/*
 * Ends it and gives up what is not done: the targets are free then. The loop frees it later, the snapshots of
 * a large fleet over several turns. NULL is taken.
 */
void round_free(struct round *round);

#endif
