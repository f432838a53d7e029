#include "http/connection_pool.h"

#include "base/container.h"
#include "http/connection.h"

#include <malloc.h>

/* A client that has not read a byte for this long may lose its answer to make room for another scrape. */
#define STALLED_MS 100

/*
 * How many connections of trusted peers may be open beyond the limit, and up to how many of one trusted peer
 * stay when others want their places.
 */
#define RESERVE 8

/* After this many connections at once, it is worth giving memory back to the system. */
#define CROWD 32

static bool shed_stalled(struct exchange_shared *shared, const struct exchange *asker);

void connection_pool_init(struct connection_pool *pool, uv_loop_t *loop, const struct server_limits *limits)
{
    *pool = (struct connection_pool){
        .loop = loop,
        .limits = *limits,
        .exchanges = {.max_waiting = limits->max_waiting, .shed = shed_stalled},
    };
    list_init(&pool->open);
    list_init(&pool->exchanges.waiting);
    peers_init(&pool->peers);
}

void connection_pool_deinit(struct connection_pool *pool)
{
    peers_deinit(&pool->peers);
}

/* --- Answers that wait for their clients --- */

/* Answers to strangers give way to a trusted peer at once, since strangers could ask again and again. */
static bool shed_stalled(struct exchange_shared *shared, const struct exchange *asker)
{
    struct connection_pool *pool = container_of(shared, struct connection_pool, exchanges);
    uint64_t now = uv_now(pool->loop);
    list_each (&shared->waiting, at, after) {
        struct exchange *exchange = container_of(at, struct exchange, waiting);
        bool yields = asker && asker->trusted && !exchange->trusted;
        if (!yields && now - exchange->progress_ms < STALLED_MS) continue;
        pool->counts.stalled++;
        connection_close(container_of(exchange, struct connection, exchange));
        return true;
    }
    return false;
}

/* --- Room --- */

/* Whether `a` is to go rather than `b`. */
static bool goes_before(const struct connection *a, const struct connection *b)
{
    if (a->peer->open != b->peer->open) return a->peer->open > b->peer->open;
    if (a->served != b->served) return b->served;
    return a->since_ms < b->since_ms;
}

/* Whether it may be closed for the newcomer. Without a newcomer any may that has had its time. */
static bool may_go(const struct connection *connection, const struct connection *newcomer)
{
    const struct peer *peer = connection->peer, *other = newcomer ? newcomer->peer : NULL;
    if (connection == newcomer || connection->rejected || !connection_waits(connection)) return false;
    if (!other) return connection_had_its_time(connection);
    if (peer_is_trusted(peer) && !peer_is_trusted(other) && peer->open <= RESERVE) return false;
    return peer->open > other->open || (peer->open == other->open && connection_had_its_time(connection));
}

/* Walks over all connections, which are not sorted. This only happens when the pool is full. */
static struct connection *find_dispensable(struct connection_pool *pool, const struct connection *newcomer)
{
    struct connection *found = NULL;
    list_each (&pool->open, at, after) {
        struct connection *connection = container_of(at, struct connection, link);
        if (!may_go(connection, newcomer)) continue;
        if (!found || goes_before(connection, found)) found = connection;
    }
    return found;
}

bool connection_pool_admit(struct connection_pool *pool, const struct connection *newcomer)
{
    unsigned open = pool->open_count - pool->rejecting, max = pool->limits.max_connections;
    if (open > pool->crowd) pool->crowd = open;
    if (open <= max) return true;
    struct connection *dispensable = find_dispensable(pool, newcomer);
    if (dispensable) {
        pool->counts.displaced++;
        connection_close(dispensable);
        return true;
    }
    return max > 0 && peer_is_trusted(newcomer->peer) && open <= max + RESERVE;
}

bool connection_pool_free_descriptor(struct connection_pool *pool)
{
    struct connection *dispensable = find_dispensable(pool, NULL);
    if (!dispensable) return false;
    pool->counts.displaced++;
    connection_close(dispensable);
    return true;
}

/* --- Time --- */

/*
 * The memory of many connections is scattered over the heap, so the allocator would keep it. With the usual
 * few scrapers nothing is given back, since the next scrape uses the memory again.
 */
static void give_memory_back(struct connection_pool *pool)
{
    if (pool->crowd < CROWD || pool->open_count > pool->crowd / 4) return;
    malloc_trim(0);
    pool->crowd = pool->open_count;
}

void connection_pool_sweep(struct connection_pool *pool)
{
    struct exchange_shared *exchanges = &pool->exchanges;
    list_each (&pool->open, at, after) connection_sweep(container_of(at, struct connection, link));
    while (exchanges->waiting_count > exchanges->max_waiting && shed_stalled(exchanges, NULL)) continue;
    give_memory_back(pool);
}
