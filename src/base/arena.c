#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

/*
 * Size of the first block. Each later block is twice as large as the block before, up to BLOCK_MOST. Many
 * arenas hold only a few small texts.
 */
#define BLOCK_LEAST ((size_t) 2 * 1024)
#define BLOCK_MOST  ((size_t) 64 * 1024)
#define ALIGNMENT   _Alignof(max_align_t)
/* Largest single allocation. Far more than the largest text needs, and too small for sizes to overflow. */
#define MOST ((size_t) 1 << 30)

struct arena_block {
    struct arena_block *older;
    max_align_t bytes[];
};

void arena_init(struct arena *arena)
{
    *arena = (struct arena){0};
}

void arena_deinit(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *older = arena->blocks->older;
        free(arena->blocks);
        arena->blocks = older;
    }
    arena_init(arena);
}

/*
 * Adds a block of at least `least` bytes. Gives up the unused rest of the previous block. The block is not
 * zeroed, so that its unused pages are not touched.
 */
static bool add_block(struct arena *arena, size_t least)
{
    size_t size = BLOCK_LEAST;
    if (arena->blocks) size = 2 * (size_t) (arena->end - (char *) arena->blocks->bytes);
    if (size > BLOCK_MOST) size = BLOCK_MOST;
    if (size < least) size = least;
    struct arena_block *block = malloc(sizeof(*block) + size);
    if (!block) return false;
    block->older = arena->blocks;
    arena->blocks = block;
    arena->next = (char *) block->bytes;
    arena->end = arena->next + size;
    return true;
}

/* Returns `len` bytes at the next address with this alignment, or NULL when out of memory. */
static char *cut_memory(struct arena *arena, size_t len, size_t alignment)
{
    size_t gap = (size_t) - (uintptr_t) arena->next & (alignment - 1);
    size_t left = (size_t) (arena->end - arena->next);
    if (!arena->blocks || left < gap || left - gap < len) {
        if (!add_block(arena, len)) return NULL;
        gap = 0;
    }
    char *place = arena->next + gap;
    arena->next = place + len;
    return place;
}

void *arena_alloc(struct arena *arena, size_t count, size_t size)
{
    if (size && count > MOST / size) return NULL;
    void *items = cut_memory(arena, count * size, ALIGNMENT);
    return items ? memset(items, 0, count * size) : NULL;
}

const char *arena_copy(struct arena *arena, struct slice text)
{
    char *copy = text.len < MOST ? cut_memory(arena, text.len + 1, 1) : NULL;
    if (!copy) return NULL;
    if (text.len) memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    return copy;
}
