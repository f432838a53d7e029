/*
 * The collector of the memcached servers: walks the snapshots of one fan_out, family by family over all
 * targets.
 */
#ifndef COLLECTORS_FLEET_H
#define COLLECTORS_FLEET_H

#include "base/buffer.h"
#include "collectors/fleet_table.h"
#include "memcached/fan_out.h"
#include "metrics/collector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the walk is in what one target said. */
struct fleet_cursor {
    const char *at, *end; /* the first record that is not written, and the end of all */
    struct slice labels;  /* of the target; borrowed */
    const struct snapshot *snapshot;
    size_t target;     /* of the fan-out */
    unsigned commands; /* set of commands whose metrics are written of it, and BY_CLASS of them */
    uint16_t row;      /* of that record, so that a target without the family at hand is passed over unread */
};

struct fleet_walk {
    struct walk walk;
    const struct fan_out *fan_out; /* borrowed; done */
    unsigned commands;             /* set of commands whose metrics are written: others may have asked more */
    bool with_labels;              /* samples carry their target's labels */
    size_t family, position;       /* the next step; the position is among the targets of that family */
    size_t part;                   /* of that family of that target, when it takes several steps */
    bool announced;                /* the encoder knows of that family */
    struct fleet_cursor *cursors;  /* one for each target that said anything; owned */
    size_t heard;                  /* how many those are */
    bool *cut;                     /* for each target, whether what it said is left out; owned, or NULL */
    uint64_t end_ns;               /* when the rest is left out of all of them; 0 for never */
    bool late;                     /* that has happened */
    struct buffer labels;          /* scratch for one sample */
};

/* 0, or UV_ENOMEM: then there is nothing to release. The fan-out must outlive the walk. */
int fleet_walk_init(struct fleet_walk *fleet, const struct fan_out *fan_out, unsigned commands,
                    bool with_labels);

/*
 * Makes the answer leave in time. Called before the first step. A target is left out when its records do not
 * fit into the rest of `bytes`. At `end_ns` (uv_hrtime) the walk leaves out what it has not written yet, of
 * all targets. memcached_target_truncated of both counts all their stats. 0 or UV_ENOMEM.
 */
int fleet_walk_limit(struct fleet_walk *fleet, size_t bytes, uint64_t end_ns);

void fleet_walk_deinit(struct fleet_walk *fleet);

#endif
