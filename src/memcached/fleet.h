/*
 * All servers that this process knows, by address, and the targets that refer to them.
 *
 * A target is what a user wrote: a name and labels. A client is a server. Two targets with the same address
 * share a client, whether they come from the configuration or from a URL. When its last target is released, a
 * client that came from a URL is kept for a while. So a server that is scraped by URL keeps its connection
 * between two scrapes.
 *
 * A target from a URL has a profile with a policy. It may share the client of a configured target, whose
 * profile has no policy. Apart from that, it shares clients only with targets of the same policy: another
 * client might hold a connection to an address that this policy forbids.
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

/* Time without a fan-out after which the fleet returns free memory to the system. */
#define FLEET_IDLE_MS 100

struct target {
    struct fleet *fleet;     /* borrowed */
    struct client *client;   /* holds a user count of the client */
    struct profile *profile; /* how to ask the server; holds a reference */
    unsigned group;          /* the owner's index of the target's group; the fleet does not use it */
    char *name;              /* as the user wrote it; owned, NUL-terminated */
    char *labels;            /* rendered label set, "" for none; owned, NUL-terminated */
};

struct fleet_config {
    struct resolver *resolver; /* borrowed */
    unsigned max_connecting;   /* most connection attempts at once */
    uint64_t idle_timeout_ns;  /* how long an unused connection is kept; 0: closed at the end of its poll */
    size_t max_reply;          /* most bytes that a server may send in one poll */
    uint64_t max_memory;       /* most bytes for the snapshots of all servers; 0: no limit */
    size_t max_prefixes;       /* most key prefixes per server that get counts of their own */
    client_poll_fn on_poll;    /* called for every poll that has ended; or NULL */
    void *on_poll_context;
    unsigned max_unused; /* most servers to remember that no target refers to any more */
};

typedef void (*fleet_close_fn)(void *context);

/* Creates a fleet. Returns 0 or a negative libuv code. */
int fleet_new(struct fleet **fleet, uv_loop_t *loop, const struct fleet_config *config);

struct client_counts fleet_counts(const struct fleet *fleet);

/* Returns the limiter in which connection attempts of this process queue. */
struct limiter *fleet_limiter(struct fleet *fleet);

/*
 * Called when a fan-out begins, and when it is freed. FLEET_IDLE_MS after the last one, the fleet returns
 * free memory to the system.
 */
void fleet_begin_fan_out(struct fleet *fleet);
void fleet_end_fan_out(struct fleet *fleet);

/* Sets how many servers may be remembered that no target refers to any more. */
void fleet_limit_unused(struct fleet *fleet, unsigned max_unused);

uv_loop_t *fleet_loop(const struct fleet *fleet);

/*
 * Creates a target. Copies `name` and `labels` and takes a reference to the profile. The profile's policy is
 * applied to the addresses that a name resolves to. The caller must already have applied the policy to a
 * literal address or a path. A profile without a policy makes a configured target. Returns NULL if out of
 * memory.
 */
struct target *target_new(struct fleet *fleet, const struct address *address, struct profile *profile,
                          struct slice name, struct slice labels);

/*
 * Returns the number of a group name, for numbers that are kept by group: from 1 to FLEET_GROUPS_MAX, the
 * same as long as the fleet lives. Returns 0 if there are more names, or no memory. 0 also stands for
 * targets of no group, and is the number of the empty name.
 */
#define FLEET_GROUPS_MAX 100
unsigned fleet_group(struct fleet *fleet, const char *name);

/* Returns the name of a group; "" for 0. */
const char *fleet_group_name(const struct fleet *fleet, unsigned group);

/* Returns true if a configured target has that address, however it was written. */
bool fleet_has(struct fleet *fleet, const struct address *address);

/* Returns true if a configured target has that address and the access of `profile`. */
bool fleet_has_access(struct fleet *fleet, const struct address *address, struct profile *profile);

/*
 * Releases a target, which must not be in a fan_out. NULL is allowed. If a server was configured and has no
 * target left, closes its connection.
 */
void target_release(struct target *target);

/*
 * Closes all connections and frees the fleet. on_close runs once, from the loop. All targets must be released
 * before (asserted).
 */
void fleet_close(struct fleet *fleet, fleet_close_fn on_close, void *context);

#endif
