/*
 * Slab classes of one server by the age of their oldest item (stat items:N:age), counted in buckets. Pure.
 */
#ifndef MEMCACHED_TAIL_AGES_H
#define MEMCACHED_TAIL_AGES_H

#include "memcached/snapshot_builder.h"

#include <stdint.h>

#define TAIL_AGE_BOUNDS 10

/* Upper bounds of the buckets in seconds; the last one is four weeks. */
extern const double tail_age_bounds[TAIL_AGE_BOUNDS];

struct tail_ages {
    uint32_t counts[TAIL_AGE_BOUNDS + 1]; /* classes in each bucket; the last one has no bound */
};

/* Counts the slab classes of a sorted builder. */
void tail_ages_count(struct tail_ages *ages, const struct snapshot_builder *builder);

#endif
