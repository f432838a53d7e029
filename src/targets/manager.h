/*
 * The manager knows which targets are scraped now. It holds the active generation (a configuration and its
 * providers) and the target set made from it.
 *
 *     manager_set -> providers are asked -> all have answered -> target set is made -> in force -> on_set
 *     a provider finds other targets -> target set is made -> in force
 *
 * A scrape holds the target set that it began with. A new target set replaces the old one as a whole. A
 * target that is in both keeps its client, its connection and its counters, since the fleet finds clients by
 * address. Connections to removed targets are closed when the last scrape has released the old target set.
 *
 * Without a configuration file there is one group, of the addresses that the flags name.
 */
#ifndef TARGETS_MANAGER_H
#define TARGETS_MANAGER_H

#include "cli/options.h"
#include "config/config.h"
#include "memcached/fleet.h"
#include "targets/generation.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct manager;

/* status 0: the configuration is in force. A negative libuv code: it was dropped, the previous one stays in
 * force, and `error` is one line without a line end. */
typedef void (*manager_set_fn)(void *context, int status, const char *error);
typedef void (*manager_close_fn)(void *context);

struct manager_context {
    uv_loop_t *loop; /* borrowed, as all of these */
    const struct options *flags;
    struct fleet *fleet;
    struct resolver *resolver;
    /* Called from the loop when another target set is in force. May be NULL. */
    void (*on_target_set)(void *context, const struct target_set *target_set);
    void *on_target_set_context;
};

/* 0 or a negative libuv code. It begins with the flags as options, and without targets. */
int manager_new(struct manager **manager, const struct manager_context *context);

/*
 * Brings another configuration into force, one at a time (asserted); it is taken over in any case (allocated
 * with malloc). See settings_read. 0: on_set runs once, from the loop, never inside
 * this call. A negative libuv code: never, and `error` has one line unless it is UV_ENOMEM.
 */
int manager_set(struct manager *manager, struct config *config, manager_set_fn on_set, void *context,
                struct buffer *error);

/* Cancels on_set. The configuration that was set last may still come into force. */
void manager_forget(struct manager *manager);

/*
 * Whether a configuration is in force. The providers of the first one may take some seconds; until then the
 * target set has the targets that are known so far.
 */
bool manager_is_ready(const struct manager *manager);

/* The target set in force; the manager's: hold it to keep it. */
struct target_set *manager_target_set(const struct manager *manager);

/*
 * The generation in force, or the first one while its providers are asked: what it forbids is forbidden from
 * then on. The manager's: hold it to keep it.
 */
struct generation *manager_generation(const struct manager *manager);

/*
 * Targets that the current target set has left out: duplicates of a group and targets with the labels of
 * another one; targets with reserved labels; targets that are not addresses; targets that the
 * policy forbids.
 */
struct manager_counts {
    size_t duplicates, refused, malformed, forbidden;
};
struct manager_counts manager_counts(const struct manager *manager);

/*
 * Closes the providers and releases the target set; on_close runs once, from the loop, when no target is
 * left, and no on_set any more. Every scrape must have ended.
 */
void manager_close(struct manager *manager, manager_close_fn on_close, void *context);

#endif
