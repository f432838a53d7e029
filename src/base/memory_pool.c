#include "base/memory_pool.h"

#include "base/container.h"

#include <stdlib.h>

struct memory_pool *memory_pool_new(uint64_t max)
{
    struct memory_pool *pool = calloc(1, sizeof(*pool));
    if (!pool) return NULL;
    pool->references = 1;
    pool->max = max;
    list_init(&pool->filled);
    return pool;
}

void memory_pool_release(struct memory_pool *pool)
{
    if (pool && --pool->references == 0) free(pool);
}

void memory_share_init(struct memory_share *share)
{
    *share = (struct memory_share){0};
    link_init(&share->link);
}

void memory_share_join(struct memory_share *share, struct memory_pool *pool, memory_drop_fn on_drop)
{
    if (!pool) return;
    pool->references++;
    share->pool = pool;
    share->on_drop = on_drop;
    list_append(&pool->filled, &share->link);
}

/* Returns NULL if no unsettled share has any bytes. */
static struct memory_share *find_largest(struct memory_pool *pool)
{
    struct memory_share *largest = NULL;
    list_each (&pool->filled, at, after) {
        struct memory_share *share = container_of(at, struct memory_share, link);
        if (share->bytes > 0 && (!largest || share->bytes >= largest->bytes)) largest = share;
    }
    return largest;
}

void memory_share_resize(struct memory_share *share, size_t bytes)
{
    struct memory_pool *pool = share->pool;
    if (!pool) return;
    pool->used += (uint64_t) bytes - share->bytes;
    share->bytes = bytes;
    while (pool->max && pool->used > pool->max) {
        struct memory_share *largest = find_largest(pool);
        if (!largest) return;
        link_remove(&largest->link);
        pool->used -= largest->bytes;
        largest->bytes = 0;
        largest->on_drop(largest);
    }
}

void memory_share_settle(struct memory_share *share)
{
    link_remove(&share->link);
}

void memory_share_leave(struct memory_share *share)
{
    if (!share->pool) return;
    link_remove(&share->link);
    share->pool->used -= share->bytes;
    memory_pool_release(share->pool);
    memory_share_init(share);
}
