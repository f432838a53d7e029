/*
 * Names to addresses, without ever blocking the loop.
 *
 * c-ares asks the servers of /etc/resolv.conf in the order of /etc/nsswitch.conf and /etc/hosts, as libc
 * would; its sockets and time-outs run on the loop. Answers are kept for their TTL (at least 1 s, at most 1
 * h; names from /etc/hosts 10 s), failures for 1 s, so that a name that many wait for is asked for once.
 * "localhost" and names below it (RFC 6761) are 127.0.0.1 and ::1 without asking anybody. A changed
 * resolv.conf is read anew when the next name is asked for.
 *
 * A question is repeated after 0.3 s, 0.6 s and 1.2 s, so that a lost packet does not cost a scrape: the
 * options `timeout` and `attempts` of resolv.conf are not heeded. At most 100 names are asked for at once.
 *
 * Not for service discovery: A and AAAA of one name only.
 */
#ifndef NET_RESOLVER_H
#define NET_RESOLVER_H

#include "base/list.h"
#include "net/address.h"

#include <stddef.h>
#include <uv.h>

struct resolver;
struct lookup;

/* At most so many addresses of a name are used. */
#define RESOLVER_ADDRESSES_MAX 8

/*
 * The outcome: either endpoints with port 0 in the order in which they should be tried
 * (RFC 6724), or count 0 and error, a short text for people ("name not found"). Borrowed for the call.
 */
typedef void (*lookup_fn)(struct lookup *lookup, const union endpoint *endpoints, size_t count,
                          const char *error);

/* A caller's wait for one name; embedded in the caller, who may not release it while it waits. */
struct lookup {
    struct link link;
    lookup_fn on_done;
};

typedef void (*resolver_close_fn)(void *context);

/*
 * Allocates a resolver on the loop. `servers` is NULL for the system's configuration, a path for another file
 * of resolv.conf's form, or a comma list "127.0.0.1:5353,[::1]:53", which has no search domains. Returns 0 or
 * a negative libuv code: UV_EINVAL for a bad list.
 */
int resolver_new(struct resolver **resolver, uv_loop_t *loop, const char *servers);

void lookup_init(struct lookup *lookup);

/*
 * Resolves a name (not a literal; in lower case, as in struct address; copied). 0: on_done runs exactly once,
 * from the loop, never from inside this call, unless the look-up is cancelled. UV_ENOMEM: never.
 */
int resolver_lookup(struct resolver *resolver, struct lookup *lookup, const char *name, lookup_fn on_done);

/* The callback will not run. Harmless when nothing is waiting. */
void lookup_cancel(struct lookup *lookup);

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
