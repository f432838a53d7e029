/*
 * Sorts the lines of a builder into the order of a snapshot: by row, then by number or name. Pure except for
 * the orders that it remembers. For one thread only.
 *
 * Servers send the same stats in the same order, poll after poll. So the sort remembers the orders of recent
 * polls. If one of them brings the entries into ascending order, they are sorted. Otherwise the entries are
 * sorted by row in linear time, and only rows whose entries are not in order are sorted by comparing.
 */
#ifndef MEMCACHED_SNAPSHOT_ORDER_H
#define MEMCACHED_SNAPSHOT_ORDER_H

#include "memcached/snapshot_builder.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Sorts the entries. Values with the same name are added up. If any other stat is given twice, the first one
 * counts (memcached 1.4.23 to 1.4.25 give number_cold twice). Returns false if out of memory. Nothing may be
 * added afterwards.
 */
bool snapshot_order_sort(struct snapshot_builder *builder);

/* Returns the first entry with that row or a later one in a sorted builder, or the end of the entries. */
const struct snapshot_builder_entry *snapshot_order_from(const struct snapshot_builder *builder,
                                                         uint16_t row);

/* A walk over the entries of one row in a sorted builder. Their numbers ascend. */
struct row_walk {
    const struct snapshot_builder_entry *at, *end; /* next entry; end of the entries of all rows */
    uint16_t row;
};

/* Begins at the first entry of the row. */
static inline struct row_walk row_walk_begin(const struct snapshot_builder *builder, uint16_t row)
{
    return (struct row_walk){snapshot_order_from(builder, row), builder->entries + builder->count, row};
}

/* Returns true if the row has a next entry. */
static inline bool row_walk_has_next(const struct row_walk *walk)
{
    return walk->at < walk->end && walk->at->row == walk->row;
}

/* Returns the entry with that number, or NULL. Numbers must be asked for in ascending order. */
static inline const struct snapshot_builder_entry *row_walk_find(struct row_walk *walk, uint32_t number)
{
    while (row_walk_has_next(walk) && walk->at->number < number) walk->at++;
    return row_walk_has_next(walk) && walk->at->number == number ? walk->at : NULL;
}

#endif
