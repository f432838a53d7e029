/*
 * Families of memcached servers that count things instead of showing single stats: connections, item sizes,
 * key prefixes, ages of slab classes. Part of the fleet's collector.
 */
#ifndef COLLECTORS_COUNTS_H
#define COLLECTORS_COUNTS_H

#include "base/buffer.h"
#include "memcached/snapshot.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* Everything needed to write samples of one target. */
struct counts_place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot;
    struct buffer *labels; /* scratch buffer; borrowed */
};

struct counts_family {
    struct family family;
    enum command command; /* the family is written if the server has answered this command */
    /*
     * Writes samples. If there are many, each call writes some of them. `part` is 0 at first and keeps the
     * position between calls. Returns true when all samples are written.
     */
    bool (*write)(const struct counts_place *place, size_t *part);
};

#define COUNTS_FAMILIES 12
extern const struct counts_family counts_families[COUNTS_FAMILIES];

#endif
