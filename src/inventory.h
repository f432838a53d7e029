/*
 * What is to be scraped, as it changes: the configuration in force, its sources, and the roster of targets
 * that follows from both.
 *
 *     inventory_set -> sources are asked -> all have answered -> roster is made -> in force -> on_set
 *     a source finds other targets -> roster is made -> in force
 *
 * A scrape holds the roster that it began with. Whatever is being made is swapped in at once and as a whole;
 * a target that is in the old and in the new roster keeps its client, its connection and its counts, since
 * the fleet finds clients by their addresses. The connections of those that are gone are closed when the last
 * scrape has let go of the old roster.
 *
 * Without a configuration file there is one group, of the addresses that the flags name.
 */
#ifndef INVENTORY_H
#define INVENTORY_H

#include "cli/options.h"
#include "config/config.h"
#include "discovery/discovery.h"
#include "memcached/fleet.h"
#include "roster.h"
#include "settings/terms.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct inventory;

/* status: 0, it is in force; a negative code, it is not, and what was in force still is; UV_ECANCELED,
 * another one was set, or the inventory closed, before it was. `error` is one line for the negative ones. */
typedef void (*inventory_set_fn)(void *context, int status, const char *error);
typedef void (*inventory_close_fn)(void *context);

struct inventory_context {
    uv_loop_t *loop; /* borrowed, as all of these */
    const struct options *flags;
    struct fleet *fleet;
    struct resolver *resolver;
    void (*on_roster)(void *context, const struct roster *roster); /* a new one is in force; or NULL */
    void *on_roster_context;
};

/* 0 or a negative libuv code. It has an empty roster and the flags as settings. */
int inventory_new(struct inventory **inventory, const struct inventory_context *context);

/*
 * Sets another configuration, which is taken over in any case (allocated with malloc); see config_of_flags
 * for one without a file. 0: on_set runs once, from the loop, never inside this call. UV_ENOMEM: never.
 */
int inventory_set(struct inventory *inventory, struct config *config, inventory_set_fn on_set, void *context);

/* Whether a configuration that was set is in force. Until the first one is, whose sources may take some
 * seconds, the roster has the targets that are known by then. */
bool inventory_is_ready(const struct inventory *inventory);

/* In force now, or about to be the first that is. The roster is the inventory's: hold it to keep it. */
struct roster *inventory_roster(const struct inventory *inventory);
struct terms *inventory_terms(const struct inventory *inventory);             /* hold them likewise */
const struct settings *inventory_settings(const struct inventory *inventory); /* of the terms */
const struct config *inventory_config(const struct inventory *inventory);     /* NULL without a file */

/* How a module of that name asks: false if there is none. "" and "default" are always there. */
struct inventory_module {
    unsigned collectors; /* set of commands */
    uint64_t timeout_ms;
};
bool inventory_module(const struct inventory *inventory, struct slice name, struct inventory_module *module);

/* The policy of targets in URLs; never NULL. */
struct policy *inventory_policy(const struct inventory *inventory);

/* For metrics: the sources in force, in the order of the file. */
struct inventory_source {
    const char *group; /* "" without a file */
    const struct discovery_state *state;
};
size_t inventory_source_count(const struct inventory *inventory);
struct inventory_source inventory_source(const struct inventory *inventory, size_t n);

/* Targets that the roster in force has left out: those that are named twice in one group, or with the same
 * labels in two; those with labels that are the stats' own. */
struct inventory_counts {
    size_t duplicates, refused;
};
struct inventory_counts inventory_counts(const struct inventory *inventory);

/* Closes the sources and lets go of the roster; on_close runs once, from the loop, when no target is left.
 * Every scrape must have ended. */
void inventory_close(struct inventory *inventory, inventory_close_fn on_close, void *context);

#endif
