/*
 * Families about the poll of a target: its state, duration and errors. Part of the fleet's collector. Every
 * target has them, even one that did not answer.
 */
#ifndef COLLECTORS_OUTCOME_H
#define COLLECTORS_OUTCOME_H

#include "memcached/snapshot.h"
#include "metrics/encoder.h"

/* Everything needed to write samples of one target. */
struct outcome_place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot; /* NULL for a target that was never asked */
    unsigned commands;               /* set of commands whose metrics are written */
};

struct outcome_family {
    struct family family;
    void (*write)(const struct outcome_place *place);
};

#define OUTCOME_FAMILIES 7
extern const struct outcome_family outcome_families[OUTCOME_FAMILIES];

#endif
