/*
 * Memory for many objects of one size that live long. They lie side by side in blocks of their own. Between
 * the short-lived objects of the heap, each of them would keep a page from being returned to the system.
 *
 * For one thread. A slab that is not on the heap needs no end: its last object frees its last block.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include "base/list.h"

#include <stddef.h>

struct slab {
    size_t size;       /* bytes of an object */
    struct list roomy; /* blocks with a free place */
};

/* Initialises a slab for objects of `size` bytes: at least that of a pointer, and at most 2 KB (asserted). */
void slab_init(struct slab *slab, size_t size);

/* Returns memory for an object, aligned for any type, or NULL when out of memory. */
void *slab_alloc(struct slab *slab);

/* Frees an object. NULL is allowed. */
void slab_free(struct slab *slab, void *object);

#endif
