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

struct fleet_walk {
    struct walk walk;
    const struct round *round; /* borrowed; done */
    unsigned commands;         /* set of commands whose metrics are written: others may have asked more */
    bool with_labels;          /* samples carry their target's labels */
    size_t family, position;   /* the next step; the position is among the targets of that family */
    size_t part;               /* of that family of that target, when it takes several steps */
    uint32_t *cursors;         /* for each target, its first entry that is not written; owned */
    uint32_t *heard;           /* the targets that said anything; owned */
    size_t heard_count;
    struct buffer labels, value; /* scratch for one sample */
};

/* The families of the table, made at the first call. */
const struct collector *fleet_collector(void);

/* 0, or UV_ENOMEM: then there is nothing to release. The round must outlive the walk. */
int fleet_walk_init(struct fleet_walk *fleet, const struct round *round, unsigned commands, bool with_labels);

void fleet_walk_deinit(struct fleet_walk *fleet);

#endif
