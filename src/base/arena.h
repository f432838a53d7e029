/*
 * Memory for many small things that live and die together: what was read from one text.
 *
 * Nothing in it is released on its own, so what lies there needs no clean-up, also when a reading ends half
 * way.
 */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks; /* owned; the newest first */
    char *next, *end;           /* what is left of the newest */
};

/* Allocates nothing. */
void arena_init(struct arena *arena);

/* Releases everything that came from it; the arena is then as after arena_init. */
void arena_deinit(struct arena *arena);

/* `count` zeroed things of `size` bytes, aligned for any type; never NULL for a count of 0. NULL when there
 * is no memory, and for more than 1 GiB. */
void *arena_alloc(struct arena *arena, size_t count, size_t size);

/* A copy with a NUL behind it, or NULL as above. */
const char *arena_copy(struct arena *arena, struct slice text);

#endif
