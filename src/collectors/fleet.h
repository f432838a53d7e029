/*
 * Collector of the memcached servers. Goes through the snapshots of one fan-out, family by family, and within
 * a family through all targets.
 */
#ifndef COLLECTORS_FLEET_H
#define COLLECTORS_FLEET_H

#include "base/arena.h"
#include "base/buffer.h"
#include "collectors/fleet_table.h"
#include "memcached/fan_out.h"
#include "metrics/collector.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Position in the records of one target. */
struct fleet_cursor {
    const char *at, *end;  /* the next record to write, and the end of all records */
    struct slice labels;   /* labels of the target; borrowed */
    struct slice rendered; /* the same in the form of the format; in `arena` */
    const struct snapshot *snapshot;
    size_t target;     /* index of the target in the fan-out */
    unsigned commands; /* set of commands whose metrics are written for this target; also has BY_CLASS bits */
    uint16_t row;      /* row of the next record. A target without records in the current family is skipped
                          without reading the record */
};

/*
 * The records of a large fleet have left the CPU's caches when the next family comes. So while one target is
 * written, the next records of a target this many places ahead are prefetched.
 */
#define FLEET_PREFETCH_AHEAD 8

struct fleet_walk {
    struct walk walk;
    const struct fan_out *fan_out; /* finished fan-out; borrowed */
    unsigned commands;             /* set of collectors whose metrics are written. A shared poll may have
                                      sent more commands */
    bool with_labels;              /* true if samples have their target's labels */
    size_t family, position;       /* next step: index of the family, and of the target among the targets
                                      of that family */
    size_t part;                   /* position within one family of one target, if it takes several steps */
    uint16_t next_row;             /* no cursor is at an earlier row of the table */
    bool announced;                /* true if the encoder has been given the current family */
    struct fleet_cursor
        *cursors; /* one for each target that sent data, and FLEET_PREFETCH_AHEAD empty ones; owned array */
    size_t heard; /* number of cursors */
    bool *cut;    /* one flag per target of the fan-out: true if its records are left out;
                                      owned array, or NULL */
    uint64_t end_ns;              /* time (uv_hrtime) at which the rest is left out, for all targets; 0
                                      for never */
    bool late;                    /* true if the rest was left out because of end_ns */
    struct buffer labels;         /* scratch buffer for the labels of a sample */
    const struct fleet_row *rows; /* of the stats table, in the form of the format; NULL before the
                                      first step */
    struct arena arena;           /* memory of `rendered` of the cursors */
    size_t line_most;             /* most bytes of a line of a series whose value is short */
};

/*
 * Starts a walk. Returns 0 or UV_ENOMEM; after UV_ENOMEM there is nothing to release. The fan-out must
 * outlive the walk.
 */
int fleet_walk_init(struct fleet_walk *fleet, const struct fan_out *fan_out, unsigned commands,
                    bool with_labels);

/*
 * Limits the walk, so that the answer is finished in time. Call it before the first step. A target is left
 * out if its records do not fit into the rest of `bytes`. At `end_ns` (uv_hrtime), everything that is not
 * written yet is left out, for all targets. memcached_target_truncated counts all stats of the targets that
 * are left out. Returns 0 or UV_ENOMEM.
 */
int fleet_walk_limit(struct fleet_walk *fleet, size_t bytes, uint64_t end_ns);

void fleet_walk_deinit(struct fleet_walk *fleet);

#endif
