/*
 * All servers that this process knows, by address, and the targets that refer to them.
 *
 * A target is what a user wrote: a name and labels. A client is a server: two targets with the same address
 * share one, whether they come from the configuration or from a URL. A client whose last target was released
 * is kept for a while, so that a server that is scraped by URL keeps its connection between two scrapes.
 *
 * A target from a URL has a profile with a policy. It may share the client of a configured target, whose
 * profile has no policy. Apart from that, it shares clients only with targets of the same policy, since
 * another client might hold a connection to an address that this policy forbids.
 */
#ifndef MEMCACHED_FLEET_H
#define MEMCACHED_FLEET_H

#include "memcached/client.h"
#include "memcached/profile.h"
#include "net/address.h"
#include "net/resolver.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct fleet;

struct target {
    struct fleet *fleet;     /* borrowed */
    struct client *client;   /* held */
    struct profile *profile; /* how it is asked; held */
    unsigned group;          /* whom it belongs to, for its owner */
    char *name;              /* as the user wrote it; owned, NUL-terminated */
    char *labels;            /* rendered label set, "" for none; owned, NUL-terminated */
};

struct fleet_config {
    struct resolver *resolver; /* borrowed */
    unsigned max_connecting;   /* connection attempts at once */
    uint64_t idle_timeout_ns;  /* how long an unused connection is kept; 0: not beyond its poll */
    size_t max_reply;          /* bytes that a server may send in one poll */
    uint64_t max_memory;       /* bytes that the snapshots of all servers may take; 0: no bound */
    size_t max_prefixes;       /* the most key prefixes with counts of their own, for each server */
    client_poll_fn on_poll;    /* told of every poll that has ended; or NULL */
    void *on_poll_context;
    unsigned max_unused; /* servers that no target stands for any more */
};

typedef void (*fleet_close_fn)(void *context);

/* 0 or a negative libuv code. */
int fleet_new(struct fleet **fleet, uv_loop_t *loop, const struct fleet_config *config);

struct client_counts fleet_counts(const struct fleet *fleet);

/* Where connection attempts of this process queue. */
struct limiter *fleet_limiter(struct fleet *fleet);

/* How many servers that no target stands for any more may be remembered from now on. */
void fleet_limit_unused(struct fleet *fleet, unsigned max_unused);

uv_loop_t *fleet_loop(const struct fleet *fleet);

/*
 * Copies name and labels, and holds the profile. The profile's policy judges what a name is resolved to; a
 * literal or a path has been judged by the caller. A profile without a policy makes a configured target. NULL
 * when out of memory.
 */
struct target *target_new(struct fleet *fleet, const struct address *address, struct profile *profile,
                          struct slice name, struct slice labels);

/* Whether a target of that address is configured, however it was written. */
bool fleet_has(struct fleet *fleet, const struct address *address);

/* NULL is taken. The target must not be in a fan_out. The connection of a server that was configured, and is
 * no target any more, is closed. */
void target_release(struct target *target);

/* Ends every connection and frees the fleet; on_close runs once, from the loop. No target may be left
 * (asserted). */
void fleet_close(struct fleet *fleet, fleet_close_fn on_close, void *context);

#endif
