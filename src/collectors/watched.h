/*
 * Collector of what watching the servers has shown: events, hot keys by rank, prefixes, evictions, and the
 * times of a proxy's backends. No label has a key. Goes through the families, and within a family through all
 * targets of a fan-out that are watched.
 */
#ifndef COLLECTORS_WATCHED_H
#define COLLECTORS_WATCHED_H

#include "base/buffer.h"
#include "memcached/fan_out.h"
#include "metrics/collector.h"
#include "watch/watch.h"

#include <stdbool.h>
#include <stddef.h>

extern const struct collector watched_collector;

struct watched_walk {
    struct walk walk;
    const struct fan_out *fan_out; /* borrowed */
    bool with_labels;              /* true if samples have their target's labels */
    struct watched **servers;      /* owned array with a reference to each; NULL: the target is not watched */
    size_t count;                  /* number of targets */
    size_t family, target;         /* next step: index of the family, and of the target */
    struct buffer labels;          /* scratch buffer for the labels of a sample */
};

/*
 * Starts a walk over the configured targets of a finished fan-out, which must outlive it. Returns 0 or
 * UV_ENOMEM; after UV_ENOMEM there is nothing to release.
 */
int watched_walk_init(struct watched_walk *walk, const struct watch *watch, const struct fan_out *fan_out,
                      bool with_labels);

/* A walk of zeros is allowed. */
void watched_walk_deinit(struct watched_walk *walk);

#endif
