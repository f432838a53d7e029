/*
 * Families of memcached servers that count things instead of showing single stats: connections, item sizes,
 * key prefixes, slab classes. Part of the fleet's collector.
 */
#ifndef COLLECTORS_COUNTS_H
#define COLLECTORS_COUNTS_H

#include "base/buffer.h"
#include "memcached/snapshot.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* In a set of collectors that are shown: their metrics of single slab classes. */
#define BY_CLASS(commands) ((commands) << 16)
_Static_assert(COLLECTOR_COUNT < 16, "both fit into one set");

/* Everything needed to write samples of one target. */
struct counts_place {
    struct encoder *encoder;
    struct slice target_labels;
    const struct snapshot *snapshot;
    struct buffer *labels; /* scratch buffer; borrowed */
};

struct counts_family {
    struct family family;
    /*
     * The family is written if all of these collectors are shown, and the server has answered those that are
     * commands. May have BY_CLASS bits.
     */
    unsigned needs;
    /*
     * Writes samples. If there are many, each call writes some of them. `part` is 0 at first and keeps the
     * position between calls. Returns true when all samples are written.
     */
    bool (*write)(const struct counts_place *place, size_t *part);
};

#define COUNTS_FAMILIES 17
extern const struct counts_family counts_families[COUNTS_FAMILIES];

#endif
