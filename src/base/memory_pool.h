/*
 * One limit on the memory of many owners, such as the snapshots of all targets. Snapshots grow while replies
 * arrive, and their final size is not known beforehand. Pure.
 *
 * Each owner has a share and reports its size. When all shares together exceed the limit, the pool drops the
 * largest share that is still growing; among equal shares, the newest. A settled (complete) share counts
 * towards the limit but is never dropped.
 */
#ifndef BASE_MEMORY_POOL_H
#define BASE_MEMORY_POOL_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct memory_share;

/*
 * Tells the owner to free the memory that the share accounts for. The pool has already set the share's size
 * to 0.
 */
typedef void (*memory_drop_fn)(struct memory_share *share);

struct memory_pool {
    unsigned references;
    uint64_t max;       /* limit in bytes; 0: no limit */
    uint64_t used;      /* bytes of all shares */
    struct list filled; /* shares that are still growing, the oldest first */
};

/* Embedded in its owner. */
struct memory_share {
    struct memory_pool *pool; /* holds a reference; NULL if the share is in no pool */
    struct link link;
    size_t bytes;
    memory_drop_fn on_drop;
};

/* Creates a pool with one reference. Returns NULL when out of memory. */
struct memory_pool *memory_pool_new(uint64_t max);

/* Releases a reference. `pool` may be NULL. */
void memory_pool_release(struct memory_pool *pool);

/* Initialises a share that is in no pool. The other functions ignore such a share. */
void memory_share_init(struct memory_share *share);

/*
 * Adds the share to the pool. Takes a reference, which memory_share_leave releases. `pool` may be NULL; the
 * share then stays outside any pool.
 */
void memory_share_join(struct memory_share *share, struct memory_pool *pool, memory_drop_fn on_drop);

/* Reports the new size of the share. May call on_drop of this or another share before it returns. */
void memory_share_resize(struct memory_share *share, size_t bytes);

/* Marks the share as complete. The pool no longer drops it. */
void memory_share_settle(struct memory_share *share);

void memory_share_leave(struct memory_share *share);

#endif
