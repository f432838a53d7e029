#include "http/connection_pool.h"

#include "base/container.h"
#include "http/connection.h"

#include <malloc.h>

/* After this time without reading a byte, a client may lose its answer to another client. */
#define STALLED_MS 100

/*
 * A regular peer keeps up to this many things of each kind, whoever else wants them. All regular peers
 * together may exceed a limit by this many.
 */
#define RESERVE 8

/* Processor time per turn of the loop for accepting clients, beginning requests and producing bodies. */
#define TURN_NS 3000000

/* Number of simultaneous connections from which memory is given back to the system afterwards. */
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

/* How many things of one kind a peer holds: connections, places or unread answers. */
struct share {
    const struct peer *peer; /* NULL: no peer asks */
    unsigned held;           /* number of things, including the one that the peer asks for */
};

static bool is_reserved(struct share share)
{
    return share.peer && peer_is_regular(share.peer) && share.held <= RESERVE;
}

/* Returns true if `holder` must give one of its things to `asker`. */
static bool yields(struct share holder, struct share asker, bool had_its_time)
{
    if (!asker.peer) return had_its_time;
    if (is_reserved(holder) != is_reserved(asker)) return is_reserved(asker);
    return holder.held > asker.held || (holder.held == asker.held && had_its_time);
}

/* Returns a negative number if a thing of `a` goes first, because its peer holds more. */
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

/* Returns true if `a` should be closed rather than `b`. */
static bool goes_before(const struct connection *a, const struct connection *b)
{
    int order = compare_shares(connections_of(a), connections_of(b));
    if (order) return order < 0;
    if (a->served != b->served) return b->served;
    return a->since_ms < b->since_ms;
}

/*
 * Returns true if `connection` may be closed for `newcomer`. A newcomer does not replace connections of its
 * own address that have not had their time. Instead the newcomer is told that there are too many.
 */
static bool may_go(const struct connection *connection, const struct connection *newcomer)
{
    if (connection == newcomer || connection->rejected || !connection_waits(connection)) return false;
    bool ready = newcomer && connection->peer != newcomer->peer;
    return yields(connections_of(connection), connections_of(newcomer),
                  ready || connection_had_its_time(connection));
}

/*
 * Finds the connection that should be closed first. Walks all connections, because they are not sorted. This
 * only happens when the pool is full.
 */
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

/*
 * Closes the connection of one unread answer. The list is sorted, so the first answer of a peer has stalled
 * longest.
 */
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

/*
 * Returns true if `a` should lose its place rather than `b`. Within one peer, the answer that has stalled
 * longest goes first. If none has stalled, the request that began last goes.
 */
static bool loses_before(const struct exchange *a, const struct exchange *b)
{
    int order = compare_shares(places_of(a), places_of(b));
    bool stalls = is_stalled(a);
    if (order) return order < 0;
    if (stalls != is_stalled(b)) return stalls;
    return stalls ? a->progress_ms < b->progress_ms : a->begun_ns > b->begun_ns;
}

/*
 * Returns true if `exchange` may lose its place to `asker`. An exchange keeps its place while it cannot be
 * aborted and its client reads the answer.
 */
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
 * After a crowd of connections, returns free memory to the system. Their memory is scattered over the heap,
 * so the allocator would keep it. With a few scrapers nothing is returned, since the next scrape uses the
 * memory again.
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
