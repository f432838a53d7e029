/*
 * The families of the memcached servers that are made of counts, not of single stats: connections, item
 * sizes, key prefixes, ages of the slab classes. A part of the fleet's collector.
 */
#ifndef COLLECTORS_COUNTS_H
#define COLLECTORS_COUNTS_H

#include "base/buffer.h"
#include "memcached/snapshot.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* Where the samples of one target go. */
struct counts_place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot;
    struct buffer *labels; /* scratch; borrowed */
};

struct counts_family {
    struct family family;
    enum command command; /* that must have answered */
    /* Writes samples, the next ones if there are many: `part` is 0 at first and keeps the place. True when
     * the family is whole. */
    bool (*write)(const struct counts_place *place, size_t *part);
};

#define COUNTS_FAMILIES 12
extern const struct counts_family counts_families[COUNTS_FAMILIES];

#endif
