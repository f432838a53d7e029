/*
 * The manager decides which targets are scraped. It owns the active generation (a configuration and its
 * providers) and the target set made from it.
 *
 *     manager_set -> providers are asked -> all have answered -> target set is made -> it is active -> on_set
 *     a provider finds other targets -> target set is made -> it is active
 *
 * A scrape takes a reference to the current target set and keeps it until its end. A new target set replaces
 * the old one as a whole. A target in both sets keeps its client, connection and counters, because the fleet
 * finds clients by address. Connections to removed targets are closed when the last scrape has released the
 * old target set.
 *
 * Without a configuration file, there is one group with the addresses from the flags.
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

/*
 * Reports the result of manager_set. Status 0: the configuration is active. A negative libuv code: the
 * configuration was dropped, the previous one stays active, and `error` is one line without a line end.
 */
typedef void (*manager_set_fn)(void *context, int status, const char *error);
typedef void (*manager_close_fn)(void *context);

struct manager_context {
    uv_loop_t *loop; /* borrowed, like all fields of this struct */
    const struct options *flags;
    struct fleet *fleet;
    struct resolver *resolver;
    /* Called from the loop when another target set has become active. May be NULL. */
    void (*on_target_set)(void *context, const struct target_set *target_set);
    void *on_target_set_context;
};

/*
 * Makes a manager. Returns 0 or a negative libuv code. Until manager_set, the options are the flags and there
 * are no targets.
 */
int manager_new(struct manager **manager, const struct manager_context *context);

/*
 * Makes `config` the active configuration, once its providers have answered. Takes ownership of `config`
 * (allocated with malloc), even after an error. settings_read makes such a configuration. Only one may be
 * pending at a time (asserted). Returns 0; on_set then runs once, from the loop, never inside this call. Or
 * returns a negative libuv code; on_set then never runs, and `error` has one line unless the code is
 * UV_ENOMEM.
 */
int manager_set(struct manager *manager, struct config *config, manager_set_fn on_set, void *context,
                struct buffer *error);

/* Cancels on_set. The pending configuration may still become active. */
void manager_forget(struct manager *manager);

/*
 * Returns true if a configuration is active. The providers of the first configuration may take some seconds.
 * Until then, the target set has the targets that are known so far.
 */
bool manager_is_ready(const struct manager *manager);

/* Returns the active target set. It belongs to the manager; take a reference to keep it. */
struct target_set *manager_target_set(const struct manager *manager);

/*
 * Returns the active generation, or the first one while its providers are being asked. So the first
 * configuration's policy applies from the beginning. The generation belongs to the manager; take a reference
 * to keep it.
 */
struct generation *manager_generation(const struct manager *manager);

/*
 * Numbers of targets that the current target set leaves out:
 * - duplicates: a second target with the same address in a group, or with the same labels as another target
 * - refused: reserved or too long labels
 * - malformed: not an address
 * - forbidden: the policy forbids the address
 */
struct manager_counts {
    size_t duplicates, refused, malformed, forbidden;
};
struct manager_counts manager_counts(const struct manager *manager);

/*
 * Closes the providers and releases the target set. Every scrape must have ended. on_close runs once, from
 * the loop, when everything is freed. on_set does not run any more.
 */
void manager_close(struct manager *manager, manager_close_fn on_close, void *context);

#endif
