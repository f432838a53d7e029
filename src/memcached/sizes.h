/*
 * Turns `stats sizes`, the number of items of each size, into the buckets of a histogram. Pure.
 *
 * memcached's buckets are 32 bytes wide and named by their upper bound. A cache may have tens of thousands of
 * them, and each would be a series. If there are more than SIZES_BOUNDS_MAX, buckets above 1 KiB are joined
 * until there are sixteen for each doubling of the size. The counts of the joined buckets are still exact.
 */
#ifndef MEMCACHED_SIZES_H
#define MEMCACHED_SIZES_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than the buckets that are left when they have been put together. */
#define SIZES_BOUNDS_MAX 512

struct sizes {
    bool disabled;    /* the server says that it does not count */
    bool coarse;      /* buckets are put together */
    uint32_t last;    /* the key before */
    double *bounds;   /* ascending; owned */
    uint64_t *counts; /* one more than bounds, the last one 0; owned. NULL without bounds */
    size_t count;     /* of bounds */
    size_t size;
};

void sizes_init(struct sizes *sizes);
void sizes_deinit(struct sizes *sizes);

/* Whether a key is one of a bucket; others are the caller's. */
bool sizes_takes(struct slice key);

/* Whether the last bucket is given once more. */
bool sizes_repeats(const struct sizes *sizes, struct slice key);

/*
 * Adds a bucket. One that is not above the one before, or whose value is no number, counts in `wrong`. False
 * when out of memory.
 */
bool sizes_add(struct sizes *sizes, struct slice key, struct slice value, unsigned *wrong);

/* False when out of memory; the copy then has no buckets. */
bool sizes_copy(struct sizes *copy, const struct sizes *sizes);

#endif
