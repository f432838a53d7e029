/*
 * Resolves names to addresses without blocking the loop.
 *
 * "localhost" and names below it (RFC 6761) always resolve to 127.0.0.1 and ::1. All other names go to
 * net/dns, which asks /etc/hosts and the name servers as libc would. A changed resolv.conf is read again
 * before the next query.
 *
 * An answer is kept for its TTL, but for at least 1 s and at most 10 s. The maximum is short so that a
 * scraper notices when a server moves. A failure is kept for 1 s, so that concurrent look-ups of a name share
 * one query. When the name servers fail or do not answer, the last answer stays in use for up to an hour; a
 * waiting look-up gets it after 0.4 s. If an answer says that the name does not exist, the last addresses are
 * dropped at once.
 *
 * At most 100 queries are under way at once. A query without an answer within 25 ms no longer counts towards
 * this limit. A name whose last query failed waits behind all others.
 *
 * Looks up only A and AAAA records; service discovery uses net/dns directly.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/list.h"
#include "net/address.h"
#include "net/known_addresses.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct resolver;
struct lookup;

/* Most addresses that a look-up returns. */
#define RESOLVER_ADDRESSES_MAX KNOWN_ADDRESSES_TURN

/*
 * Receives the result of a look-up: either endpoints with port 0 in the order in which to try them (RFC
 * 6724), or count 0 and `error`, a short text for people ("name not found"). `endpoints` and `error` are
 * valid only during the call.
 */
typedef void (*lookup_fn)(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                          const char *error);

/* A pending look-up. Embedded in the caller, which must not free it while it waits. */
struct lookup {
    struct link link;
    lookup_fn on_done;
};

typedef void (*resolver_close_fn)(void *context);

/*
 * Creates a resolver on the loop. `servers` has the same meaning as for dns_new. Returns 0 or a negative
 * libuv code.
 */
int resolver_new(struct resolver **resolver, uv_loop_t *loop, const char *servers);

void lookup_init(struct lookup *lookup);

/*
 * Resolves a name. `name` must be in lower case, as in struct address, and must not be an IP address; it is
 * copied. Returns 0 or UV_ENOMEM. After 0, on_done runs exactly once, from the loop and never inside this
 * call, unless the look-up is cancelled. After UV_ENOMEM, on_done does not run.
 */
int resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn on_done);

/* Cancels a look-up; on_done will not run. Does nothing if the look-up does not wait. */
void lookup_cancel(struct lookup *lookup);

/*
 * Call this when an address of the name has failed or a connection was lost. Marks the cached answer as
 * expired, so that the next look-up asks again. Returns true if a new look-up may give another answer.
 * Returns false if the answer is at most 10 ms old or never expires, or if the name is not cached.
 */
bool resolver_distrust(struct resolver *resolver, const char *name);

/*
 * Resolves the name in the background if its cached answer has expired. For names of servers with a live
 * connection. resolver_lists shows the result.
 */
void resolver_refresh(struct resolver *resolver, const char *name);

/*
 * Returns true if the last answer for the name contains the address; the port is ignored. Also returns true
 * if nothing is known about the name, or if it could not be resolved.
 */
bool resolver_lists(const struct resolver *resolver, const char *name, const union endpoint *endpoint);

/* Counters for the exporter's own metrics. */
struct resolver_counts {
    uint64_t lookups;  /* look-ups that were answered, from the cache or by a query */
    uint64_t queries;  /* queries to net/dns */
    uint64_t failures; /* answers without an address */
};
struct resolver_counts resolver_counts(const struct resolver *resolver);

/*
 * Frees the resolver. on_close runs once, from the loop, when all handles have closed. No look-up may be
 * waiting (asserted). If `resolver` is NULL, does nothing and does not call on_close.
 */
void resolver_close(struct resolver *resolver, resolver_close_fn on_close, void *context);

#endif
