#include "http/connection_pool.h"

#include "base/container.h"
#include "http/connection.h"

#include <malloc.h>

/* A client that has not read a byte for this long may lose its answer to make room for another one. */
#define STALLED_MS 100

/*
 * Up to how many things of a kind a regular peer keeps, whoever else wants them, and how many all regular
 * peers may have beyond a limit.
 */
#define RESERVE 8

/* What accepting clients and making bodies may take of one turn of the loop. */
#define TURN_NS 3000000

/* After this many connections at once, it is worth giving memory back to the system. */
#define CROWD 32

static void shed_unread(struct exchange_shared *shared, const struct exchange *last);
static bool make_place(struct exchange_shared *shared, const struct exchange *asker, unsigned places);

void connection_pool_init(struct connection_pool *pool, uv_loop_t *loop, const struct server_limits *limits)
{
    *pool = (struct connection_pool){
        .loop = loop,
        .limits = *limits,
        .exchanges = {.max_unread = limits->max_unread, .shed_unread = shed_unread, .make_place = make_place},
    };
    list_init(&pool->open);
    work_budget_init(&pool->exchanges.work, loop, TURN_NS);
    list_init(&pool->exchanges.unread);
    list_init(&pool->exchanges.working);
    peers_init(&pool->peers);
}

void connection_pool_deinit(struct connection_pool *pool)
{
    peers_deinit(&pool->peers);
}

/* --- Shares --- */

/* What a peer has of a limited kind: connections, places or answers that it does not read. */
struct share {
    const struct peer *peer; /* NULL for nobody */
    unsigned held;           /* with what it asks for */
};

static bool is_reserved(struct share share)
{
    return share.peer && peer_is_regular(share.peer) && share.held <= RESERVE;
}

/* Whether one that `holder` has may be taken for `asker`. */
static bool yields(struct share holder, struct share asker, bool had_its_time)
{
    if (!asker.peer) return had_its_time;
    if (is_reserved(holder) != is_reserved(asker)) return is_reserved(asker);
    return holder.held > asker.held || (holder.held == asker.held && had_its_time);
}

/* Negative: one of `a` goes first, since its peer has more. */
static int compare_shares(struct share a, struct share b)
{
    if (is_reserved(a) != is_reserved(b)) return is_reserved(a) ? 1 : -1;
    return (a.held < b.held) - (a.held > b.held);
}

/* --- Connections --- */

static struct share connections_of(const struct connection *connection)
{
    if (!connection) return (struct share){0};
    return (struct share){connection->peer, connection->peer->open};
}

/* Whether `a` is to go rather than `b`. */
static bool goes_before(const struct connection *a, const struct connection *b)
{
    int order = compare_shares(connections_of(a), connections_of(b));
    if (order) return order < 0;
    if (a->served != b->served) return b->served;
    return a->since_ms < b->since_ms;
}

/* An address does not take its own connections in their first second: it is told that they are too many. */
static bool may_go(const struct connection *connection, const struct connection *newcomer)
{
    if (connection == newcomer || connection->rejected || !connection_waits(connection)) return false;
    bool ready = newcomer && connection->peer != newcomer->peer;
    return yields(connections_of(connection), connections_of(newcomer),
                  ready || connection_had_its_time(connection));
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
    return max > 0 && is_reserved(connections_of(newcomer)) && open <= max + RESERVE;
}

bool connection_pool_free_descriptor(struct connection_pool *pool)
{
    struct connection *dispensable = find_dispensable(pool, NULL);
    if (!dispensable) return false;
    pool->counts.displaced++;
    connection_close(dispensable);
    return true;
}

/* --- Answers that are not read --- */

static bool is_stalled(const struct exchange *exchange)
{
    uint64_t now = uv_now(exchange->stream->loop);
    return link_is_linked(&exchange->unread) && now - exchange->progress_ms >= STALLED_MS;
}

static struct share unread_of(const struct exchange *exchange)
{
    if (!exchange) return (struct share){0};
    return (struct share){exchange->peer, exchange->peer->unread};
}

/* The list is sorted: of one peer's answers the first has stalled for longest. */
static void shed_unread(struct exchange_shared *shared, const struct exchange *last)
{
    struct connection_pool *pool = container_of(shared, struct connection_pool, exchanges);
    struct exchange *found = NULL;
    list_each (&shared->unread, at, after) {
        struct exchange *exchange = container_of(at, struct exchange, unread);
        if (exchange == last || !yields(unread_of(exchange), unread_of(last), is_stalled(exchange))) continue;
        if (!found || compare_shares(unread_of(exchange), unread_of(found)) < 0) found = exchange;
    }
    if (!found) return;
    pool->counts.stalled++;
    connection_close(container_of(found, struct connection, exchange));
}

/* --- Places --- */

static struct share places_of(const struct exchange *exchange)
{
    return (struct share){exchange->peer, exchange->peer->working};
}

/* Of one peer's: an answer that stalls, the one that has for longest; else the work that has begun last. */
static bool loses_before(const struct exchange *a, const struct exchange *b)
{
    int order = compare_shares(places_of(a), places_of(b));
    bool stalls = is_stalled(a);
    if (order) return order < 0;
    if (stalls != is_stalled(b)) return stalls;
    return stalls ? a->progress_ms < b->progress_ms : a->begun_ns > b->begun_ns;
}

/* Whoever is neither stalled nor may be aborted keeps its place: its answer is being sent. */
static bool may_lose(const struct exchange *exchange, const struct exchange *asker)
{
    bool movable = exchange_is_abortable(exchange) || link_is_linked(&exchange->unread);
    return exchange != asker && movable &&
           yields(places_of(exchange), places_of(asker), is_stalled(exchange));
}

static void take_place(struct connection_pool *pool, struct exchange *exchange)
{
    if (exchange_is_abortable(exchange))
        pool->counts.yielded++;
    else
        pool->counts.stalled++;
    connection_turn_away(container_of(exchange, struct connection, exchange),
                         "another address needed the place of this scrape, see --web.max-requests");
}

static bool make_place(struct exchange_shared *shared, const struct exchange *asker, unsigned places)
{
    struct connection_pool *pool = container_of(shared, struct connection_pool, exchanges);
    struct exchange *found = NULL;
    list_each (&shared->working, at, after) {
        struct exchange *exchange = container_of(at, struct exchange, working);
        if (!may_lose(exchange, asker)) continue;
        if (!found || loses_before(exchange, found)) found = exchange;
    }
    if (found) take_place(pool, found);
    return found || (is_reserved(places_of(asker)) && shared->working_count <= places + RESERVE);
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
    if (exchanges->unread_count > exchanges->max_unread) shed_unread(exchanges, NULL);
    give_memory_back(pool);
}
