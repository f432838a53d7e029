#include "base/slab.h"

#include "base/container.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(memory, size)   ((void) 0)
#define ASAN_UNPOISON_MEMORY_REGION(memory, size) ((void) 0)
#endif

/* A block is aligned to its size, so that the address of an object tells its block. */
#define BLOCK_SIZE ((size_t) 16 * 1024)
#define ALIGNMENT  _Alignof(max_align_t)

/* A place without an object. */
struct slab_place {
    struct slab_place *next;
};

struct slab_block {
    struct link link; /* in slab.roomy while a place is free */
    struct slab_place *free;
    size_t used; /* number of objects */
    max_align_t bytes[];
};

void slab_init(struct slab *slab, size_t size)
{
    assert(size >= sizeof(struct slab_place) && size <= 2048);
    slab->size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    list_init(&slab->roomy);
}

static struct slab_block *add_block(struct slab *slab)
{
    struct slab_block *block = aligned_alloc(BLOCK_SIZE, BLOCK_SIZE);
    if (!block) return NULL;
    block->free = NULL;
    block->used = 0;
    for (size_t n = (BLOCK_SIZE - sizeof(*block)) / slab->size; n-- > 0;) {
        struct slab_place *place = (struct slab_place *) (void *) ((char *) block->bytes + n * slab->size);
        place->next = block->free;
        block->free = place;
        ASAN_POISON_MEMORY_REGION(place, slab->size);
    }
    list_append(&slab->roomy, &block->link);
    return block;
}

void *slab_alloc(struct slab *slab)
{
    struct link *first = list_first(&slab->roomy);
    struct slab_block *block = first ? container_of(first, struct slab_block, link) : add_block(slab);
    if (!block) return NULL;
    struct slab_place *place = block->free;
    assert(place); /* a block of `roomy` has a free place */
    ASAN_UNPOISON_MEMORY_REGION(place, slab->size);
    block->free = place->next;
    block->used++;
    if (!block->free) link_remove(&block->link);
    return place;
}

/* The memory of a block goes with its last object. */
void slab_free(struct slab *slab, void *object)
{
    if (!object) return;
    /* Blocks are aligned to their size. */
    struct slab_block *block = (void *) ((char *) object - (uintptr_t) object % BLOCK_SIZE);
    struct slab_place *place = object;
    if (!block->free) list_append(&slab->roomy, &block->link);
    place->next = block->free;
    block->free = place;
    ASAN_POISON_MEMORY_REGION(place, slab->size);
    if (--block->used > 0) return;
    link_remove(&block->link);
    ASAN_UNPOISON_MEMORY_REGION(block, BLOCK_SIZE);
    free(block);
}
