/*
 * The collector of the memcached servers: walks the snapshots of one round, family by family over all
 * targets.
 */
#ifndef COLLECTORS_FLEET_H
#define COLLECTORS_FLEET_H

#include "base/buffer.h"
#include "memcached/round.h"
#include "metrics/collector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fleet_collector {
    struct collector collector;
    const struct round *round;   /* borrowed; done */
    unsigned commands;           /* set of commands that were asked */
    bool with_labels;            /* samples carry their target's labels */
    size_t family, target;       /* the next step */
    uint32_t *cursors;           /* for each target, its first entry that is not written; owned */
    struct buffer labels, value; /* scratch for one sample */
};

/* 0, or UV_ENOMEM: then there is nothing to release. The round must outlive the collector. */
int fleet_collector_init(struct fleet_collector *fleet, const struct round *round, unsigned commands,
                         bool with_labels);

void fleet_collector_deinit(struct fleet_collector *fleet);

#endif
