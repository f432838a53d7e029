/*
 * One limit on the memory of many owners, such as the snapshots of all targets, which grow while replies
 * arrive and whose final size nobody knows beforehand. Pure.
 *
 * Each owner has a share and reports its size. When all shares together exceed the limit, the pool drops the
 * largest share that is still growing; among equal ones, the newest. A settled share (one that is complete)
 * counts towards the limit but is never dropped.
 */
#ifndef BASE_MEMORY_POOL_H
#define BASE_MEMORY_POOL_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct memory_share;

/* The owner must free the memory that the share accounts for. The size of the share is 0 from now on. */
typedef void (*memory_drop_fn)(struct memory_share *share);

struct memory_pool {
    unsigned references;
    uint64_t max;       /* bytes; 0: no bound */
    uint64_t used;      /* bytes of all shares */
    struct list filled; /* shares that are still being filled, the oldest first */
};

/* Embedded in its owner. */
struct memory_share {
    struct memory_pool *pool; /* held; NULL for one that is not counted */
    struct link link;
    size_t bytes;
    memory_drop_fn on_drop;
};

/* One reference; NULL when out of memory. */
struct memory_pool *memory_pool_new(uint64_t max);

/* NULL is taken. */
void memory_pool_release(struct memory_pool *pool);

/* In no pool: the other calls do nothing. */
void memory_share_init(struct memory_share *share);

/* Holds the pool until memory_share_leave. NULL is taken. */
void memory_share_join(struct memory_share *share, struct memory_pool *pool, memory_drop_fn on_drop);

/* Reports the size of the share. May call on_drop, of this share or of another one, before it returns. */
void memory_share_resize(struct memory_share *share, size_t bytes);

/* The share is complete; the pool does not drop it any more. */
void memory_share_settle(struct memory_share *share);

void memory_share_leave(struct memory_share *share);

#endif
