/*
 * Turns `stats sizes`, the number of items of each size, into the buckets of a histogram. Pure.
 *
 * memcached's buckets are 32 bytes wide and named by their upper bound. A cache may have tens of thousands of
 * them, and each would be a series. If there are more than SIZES_BOUNDS_MAX, buckets above 1 KiB are joined
 * until each doubling of the size has sixteen. The counts of the joined buckets are still exact.
 */
#ifndef MEMCACHED_SIZES_H
#define MEMCACHED_SIZES_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of buckets above which they are joined. The joined buckets always fit. */
#define SIZES_BOUNDS_MAX 512

struct sizes {
    bool disabled;    /* the server says that it does not count sizes */
    bool coarse;      /* buckets have been joined */
    uint32_t last;    /* the last key that was added */
    double *bounds;   /* ascending; owned */
    uint64_t *counts; /* `count` + 1 counts, the last one 0; owned; NULL without bounds */
    size_t count;     /* number of bounds */
    size_t size;
};

void sizes_init(struct sizes *sizes);
void sizes_deinit(struct sizes *sizes);

/* Returns true if a key names a bucket. The caller handles all other keys. */
bool sizes_takes(struct slice key);

/* Returns true if `key` repeats the last bucket. */
bool sizes_repeats(const struct sizes *sizes, struct slice key);

/*
 * Adds a bucket. A bucket counts in `wrong` if its size is not above the previous size, or if its value is
 * not a number. Returns false if out of memory.
 */
bool sizes_add(struct sizes *sizes, struct slice key, struct slice value, unsigned *wrong);

/* Returns false if out of memory; `copy` then has no buckets. */
bool sizes_copy(struct sizes *copy, const struct sizes *sizes);

#endif
