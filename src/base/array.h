/*
 * Growing arrays: makes room for one more item, doubling the memory when it is full.
 *
 * An array is three members of a struct: a pointer to the items, their count, and the size of the memory in
 * items. The owner releases the items with free().
 */
#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Enlarges a full array: to `least` items at first, then to twice the size each time, but never beyond
 * `most`. `items` is the address of the pointer. False when out of memory, and when the array has `most`
 * items already; nothing has changed then.
 */
bool array_grow(void *items, size_t *size, size_t item_size, size_t least, size_t most);

/* Whether there is room for one more item behind the `count` that there are, after growing if need be. */
#define array_reserve(items, count, size, least, most)                                                       \
    ((count) < *(size) || array_grow((items), (size), sizeof(**(items)), (least), (most)))

#endif
