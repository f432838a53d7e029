/*
 * Memory for many small objects that are freed together, such as everything that was parsed from one text.
 *
 * Single objects are never freed, so a parser that fails half way has nothing to clean up.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; the newest block first */
    char *next, *end;           /* unused part of the newest block */
};

/* Initialises an empty arena. Allocates nothing. */
void arena_init(struct arena *arena);

/*
 * Frees all memory that arena_alloc and arena_copy returned. Afterwards the arena is empty and usable again.
 */
void arena_deinit(struct arena *arena);

/*
 * Allocates `count` zeroed items of `size` bytes, aligned for any type. Returns NULL when out of memory, and
 * for more than 1 GiB. A count of 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* Copies `text` and adds a NUL. Returns NULL when out of memory, and for 1 GiB or more. */
const char *arena_copy(struct arena *arena, struct slice text);

#endif
