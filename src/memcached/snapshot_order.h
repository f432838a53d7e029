/*
 * Brings what a builder has collected into the order of a snapshot: by row, then by number or name. Pure but
 * for what it remembers, and for one thread only.
 *
 * Servers say the same stats in the same order, poll after poll. So the order of late polls is kept: if the
 * entries ascend when they are taken in an order of those, they are sorted. Otherwise they are sorted by
 * rows, in as many steps as there are entries, and what is then not in order within a row is compared.
 */
#ifndef MEMCACHED_SNAPSHOT_ORDER_H
#define MEMCACHED_SNAPSHOT_ORDER_H

#include "memcached/snapshot_builder.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Numbers of the same name are added up; of another stat given twice the first one counts (memcached 1.4.23
 * to 1.4.25 say number_cold twice). False when out of memory. Nothing may be added afterwards.
 */
bool snapshot_order_sort(struct snapshot_builder *builder);

/* The entry of that row and number of a sorted builder, or NULL. */
const struct snapshot_builder_entry *snapshot_order_find(const struct snapshot_builder *builder, uint16_t row,
                                                         uint32_t number);

#endif
