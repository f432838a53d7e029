/*
 * One bound of memory for many who fill theirs bit by bit, and by how much is not known before. Pure.
 *
 * Each has a share, whose size its owner tells. When all shares together exceed the bound, the largest of
 * those that are still being filled is dropped, of equal ones the newest. A share that is full is counted,
 * and never dropped.
 */
#ifndef BASE_MEMORY_POOL_H
#define BASE_MEMORY_POOL_H

#include "base/list.h"

#include <stddef.h>
#include <stdint.h>

struct memory_share;

/* The owner frees what the share stands for; its size is 0 from now on. */
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

/* Tells the size. May call on_drop, of this share or of another, before it returns. */
void memory_share_resize(struct memory_share *share, size_t bytes);

/* It is full: not dropped any more. */
void memory_share_settle(struct memory_share *share);

void memory_share_leave(struct memory_share *share);

#endif
