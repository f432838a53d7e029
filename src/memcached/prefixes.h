/*
 * Reads `stats detail dump`: how many commands each key prefix got. Pure.
 *
 * A server may have 65,000 prefixes. The busiest ones are kept; among equal ones, the first by name, so that
 * the order of the lines does not matter. All others are added up, together with the empty prefix, under the
 * empty label value.
 */
#ifndef MEMCACHED_PREFIXES_H
#define MEMCACHED_PREFIXES_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prefix_counts {
    uint64_t gets, hits, sets, deletes;
};

struct prefix {
    char *name; /* valid UTF-8, not terminated; owned */
    size_t len;
    struct prefix_counts counts;
};

struct prefixes {
    size_t max;
    struct prefix *items; /* a heap, the one to drop next on top; by name when finished; owned */
    size_t count, size;
    struct prefix_counts rest; /* what was dropped, and the empty prefix */
    bool has_rest;
    uint64_t dropped; /* how many */
    struct buffer scratch;
};

/* At most `max` prefixes are kept. Allocates nothing. */
void prefixes_init(struct prefixes *prefixes, size_t max);
void prefixes_deinit(struct prefixes *prefixes);

/*
 * `counts` is "get 1 hit 1 set 1 del 1"; anything else counts in `wrong`. The name may be any bytes. False
 * when out of memory.
 */
bool prefixes_add(struct prefixes *prefixes, struct slice name, struct slice counts, unsigned *wrong);

/* Sorts by name and adds up equal names. Nothing may be added afterwards. */
void prefixes_finish(struct prefixes *prefixes);

/* Of unfinished ones. False when out of memory; the copy may then be released. */
bool prefixes_copy(struct prefixes *copy, const struct prefixes *prefixes);

#endif
