/*
 * What is to be scraped, as it changes: the configuration in force, its sources, and the target_set of targets
 * that follows from both.
 *
 *     manager_set -> sources are asked -> all have answered -> target_set is made -> in force -> on_set
 *     a source finds other targets -> target_set is made -> in force
 *
 * A scrape holds the target_set that it began with. Whatever is being made is swapped in at once and as a whole;
 * a target that is in the old and in the new target_set keeps its client, its connection and its counts, since
 * the fleet finds clients by their addresses. The connections of those that are gone are closed when the last
 * scrape has let go of the old target_set.
 *
 * Without a configuration file there is one group, of the addresses that the flags name.
 */
#ifndef TARGETS_MANAGER_H
#define TARGETS_MANAGER_H

#include "cli/options.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "memcached/fleet.h"
#include "settings/terms.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct manager;

/* status: 0, it is in force; a negative code, it is not, and what was in force still is; UV_ECANCELED,
 * another one was set, or the manager closed, before it was. `error` is one line for the negative ones. */
typedef void (*manager_set_fn)(void *context, int status, const char *error);
typedef void (*manager_close_fn)(void *context);

struct manager_context {
    uv_loop_t *loop; /* borrowed, as all of these */
    const struct options *flags;
    struct fleet *fleet;
    struct resolver *resolver;
    void (*on_target_set)(void *context,
                          const struct target_set *target_set); /* a new one is in force; or NULL */
    void *on_target_set_context;
};

/* 0 or a negative libuv code. It has an empty target_set and the flags as settings. */
int manager_new(struct manager **manager, const struct manager_context *context);

/*
 * Sets another configuration, which is taken over in any case (allocated with malloc); see config_of_flags
 * for one without a file. 0: on_set runs once, from the loop, never inside this call. UV_ENOMEM: never.
 */
int manager_set(struct manager *manager, struct config *config, manager_set_fn on_set, void *context);

/* Whether a configuration that was set is in force. Until the first one is, whose sources may take some
 * seconds, the target_set has the targets that are known by then. */
bool manager_is_ready(const struct manager *manager);

/* In force now, or about to be the first that is. The target_set is the manager's: hold it to keep it. */
struct target_set *manager_target_set(const struct manager *manager);
struct terms *manager_terms(const struct manager *manager);             /* hold them likewise */
const struct settings *manager_settings(const struct manager *manager); /* of the terms */
const struct config *manager_config(const struct manager *manager);     /* NULL without a file */

/* How a module of that name asks: false if there is none. "" and "default" are always there. */
struct manager_module {
    unsigned collectors; /* set of commands */
    uint64_t timeout_ms;
};
bool manager_module(const struct manager *manager, struct slice name, struct manager_module *module);

/* The policy of targets in URLs; never NULL. */
struct policy *manager_policy(const struct manager *manager);

/* For metrics: the sources in force, in the order of the file. */
struct manager_source {
    const char *group; /* "" without a file */
    const struct discovery_state *state;
};
size_t manager_source_count(const struct manager *manager);
struct manager_source manager_source(const struct manager *manager, size_t n);

/* Targets that the target_set in force has left out: those that are named twice in one group, or with the same
 * labels in two; those with labels that are the stats' own. */
struct manager_counts {
    size_t duplicates, refused;
};
struct manager_counts manager_counts(const struct manager *manager);

/* Closes the sources and lets go of the target_set; on_close runs once, from the loop, when no target is left.
 * Every scrape must have ended. */
void manager_close(struct manager *manager, manager_close_fn on_close, void *context);

#endif
