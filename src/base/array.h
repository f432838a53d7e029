/*
 * Growing arrays: makes room for one more item, and doubles the memory when the array is full.
 *
 * An array is three members of a struct: a pointer to the items, their count, and the capacity in items. The
 * owner releases the items with free().
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Enlarges a full array: to `least` items at first, then to twice the capacity each time, but never beyond
 * `most`. `items` is the address of the pointer, `size` the capacity. Returns false when out of memory, and
 * when the array already has room for `most` items; the array is then unchanged.
 */
bool array_grow(void *items, size_t *size, size_t item_size, size_t least, size_t most);

/* True if the array has room for one more item after its `count` items. Grows the array if it is full. */
#define array_reserve(items, count, size, least, most)                                                       \
    ((count) < *(size) || array_grow((items), (size), sizeof(**(items)), (least), (most)))

#endif
