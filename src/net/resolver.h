/*
 * Names to addresses, without ever blocking the loop.
 *
 * "localhost" and names below it (RFC 6761) are 127.0.0.1 and ::1 without asking anybody; for all other
 * names, net/dns asks /etc/hosts and the name servers as libc would. A changed resolv.conf is read anew when
 * the next name is asked for.
 *
 * An answer is kept for its TTL, but for at least 1 s and at most 10 s, since a scraper has to notice when a
 * server moves. A failure is kept for 1 s, so that a name that many wait for is asked for once. When the name
 * servers fail or say nothing, the last answer serves on for up to an hour: after 0.4 s for a look-up that
 * waits. A name that is known not to exist has no such grace.
 *
 * At most 100 names are asked for at once. A name that is not answered within 25 ms gives its place to the
 * next one, and a name whose last question failed waits behind all others.
 *
 * Looks up A and AAAA records only; service discovery uses net/dns directly.
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

/* At most so many addresses of a name are handed out. */
#define RESOLVER_ADDRESSES_MAX KNOWN_ADDRESSES_TURN

/*
 * The outcome: either endpoints with port 0 in the order in which they should be tried
 * (RFC 6724), or count 0 and error, a short text for people ("name not found"). Borrowed for the call.
 */
typedef void (*lookup_fn)(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                          const char *error);

/* One pending look-up. Embedded in the caller, which must not free it while it waits. */
struct lookup {
    struct link link;
    lookup_fn on_done;
};

typedef void (*resolver_close_fn)(void *context);

/* Allocates a resolver on the loop. `servers` as for dns_new. 0 or a negative libuv code. */
int resolver_new(struct resolver **resolver, uv_loop_t *loop, const char *servers);

void lookup_init(struct lookup *lookup);

/*
 * Resolves a name (not a literal; in lower case, as in struct address; copied). 0: on_done runs exactly once,
 * from the loop, never from inside this call, unless the look-up is cancelled. UV_ENOMEM: never.
 */
int resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn on_done);

/* The callback will not run. Harmless when nothing is waiting. */
void lookup_cancel(struct lookup *lookup);

/*
 * For a name of which an address has failed, or a connection was lost: what is known is no longer believed,
 * and the next look-up asks anew. True: a look-up may well bring another answer. False: the answer is not
 * older than 10 ms, or nobody has to be asked.
 */
bool resolver_distrust(struct resolver *resolver, const char *name);

/*
 * For a name whose server is still connected: asks for it in the background when its answer has expired.
 * resolver_lists says what came of it.
 */
void resolver_refresh(struct resolver *resolver, const char *name);

/*
 * Whether the address is in the last answer for the name; the port does not matter. Also true when that
 * cannot be said: nothing is known about the name, or it could not be resolved.
 */
bool resolver_lists(const struct resolver *resolver, const char *name, const union endpoint *endpoint);

/* For the exporter's own metrics: queries sent to the network's resolver and how many of them failed. */
struct resolver_counts {
    uint64_t lookups;  /* answered from anywhere */
    uint64_t queries;  /* that left the cache */
    uint64_t failures; /* queries without an address */
};
struct resolver_counts resolver_counts(const struct resolver *resolver);

/*
 * Stops and frees it; on_close runs once, from the loop, when every handle is closed. No
 * look-up may be waiting (asserted). NULL is taken: then on_close runs never and nothing happens.
 */
void resolver_close(struct resolver *resolver, resolver_close_fn on_close, void *context);

#endif
