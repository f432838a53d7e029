/*
 * Reads `stats detail dump`: how many commands each key prefix got. Pure.
 *
 * A server may have 65,000 prefixes. The busiest ones are kept. Of two equally busy prefixes, the first by
 * name is kept, so that the order of the lines does not matter. All others are added up, together with the
 * empty prefix, under the empty label value.
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
    char *name; /* valid UTF-8, not NUL-terminated; owned */
    size_t len;
    struct prefix_counts counts;
};

struct prefixes {
    size_t max;
    /* a heap with the next prefix to drop on top; sorted by name when finished; owned */
    struct prefix *items;
    size_t count, size;
    struct prefix_counts rest; /* sum of the dropped prefixes and the empty prefix */
    bool has_rest;
    uint64_t dropped; /* number of dropped prefixes */
    struct buffer scratch;
};

/* Initialises; at most `max` prefixes will be kept. Allocates nothing. */
void prefixes_init(struct prefixes *prefixes, size_t max);
void prefixes_deinit(struct prefixes *prefixes);

/*
 * Adds a prefix. `counts` is "get 1 hit 1 set 1 del 1"; any other text counts in `wrong`. The name may be any
 * bytes. Returns false if out of memory.
 */
bool prefixes_add(struct prefixes *prefixes, struct slice name, struct slice counts, unsigned *wrong);

/* Sorts by name and adds up equal names. Nothing may be added afterwards. */
void prefixes_finish(struct prefixes *prefixes);

/*
 * Copies unfinished prefixes. Returns false if out of memory; `copy` must still be released with
 * prefixes_deinit.
 */
bool prefixes_copy(struct prefixes *copy, const struct prefixes *prefixes);

#endif
