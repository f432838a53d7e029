/*
 * A generation is one configuration, the options made from it and the flags, and the providers that find its
 * targets. A generation never changes its configuration; a reload makes a new generation.
 *
 * A generation is reference-counted. The manager has a reference to the active one. Work that must keep its
 * configuration across a reload, such as an output, takes its own reference. When a generation is replaced,
 * the manager retires it. Sources that no generation uses any more are then closed. Configuration and options
 * stay valid until the last reference is released.
 */
#ifndef TARGETS_GENERATION_H
#define TARGETS_GENERATION_H

#include "config/config.h"
#include "settings/settings.h"
#include "targets/providers.h"

#include <stdbool.h>
#include <stddef.h>

struct generation {
    unsigned references;
    unsigned long number;               /* unique; the manager's first generation is 1 */
    struct config *config;              /* owned; its `file` is NULL if there is no configuration file */
    struct settings settings;           /* effective options */
    struct provider **providers;        /* providers of all groups, in the order of the file; owned array.
                                           The generation is a user of each */
    const struct config_group **owners; /* group of each provider; owned array */
    const struct results **found;       /* results of each provider, see generation_found; owned array */
    size_t provider_count;              /* number of providers; 0 after the generation is retired */
};

/* A provider, as shown in metrics. */
struct generation_source {
    const char *group; /* name of the group; "" without a file */
    const struct discovery_state *state;
};

/*
 * Makes a generation. Takes ownership of `config` (allocated with malloc), even after an error; borrows the
 * flags. Returns 0 and one reference, or a negative libuv code. After an error there is nothing to release,
 * and `error` has a line unless the code is UV_ENOMEM. The caller sets `number`.
 */
int generation_new(struct generation **generation, struct config *config, const struct options *flags,
                   struct providers *providers, struct buffer *error);

/*
 * Shares the accesses of `from` whose settings and files are the same. So a reload keeps existing TLS
 * connections and logins. Call this before anything uses the generation.
 */
void generation_inherit(struct generation *generation, const struct generation *from);

struct generation *generation_hold(struct generation *generation);

/*
 * Releases a reference; `generation` may be NULL. Retire the generation before its last reference is
 * released.
 */
void generation_release(struct generation *generation);

/* Releases the providers. Called when the generation is replaced, or when it will never become active. */
void generation_retire(struct generation *generation);

/* Returns the module with this name, or NULL. "" means "default", which always exists. */
const struct config_module *generation_module(const struct generation *generation, struct slice name);

/* Returns the policy for targets in URLs; borrowed, never NULL. */
struct policy *generation_policy(const struct generation *generation);

/* Returns the n-th provider; n must be below provider_count. */
struct generation_source generation_source(const struct generation *generation, size_t n);

/* Returns true if every provider has answered at least once, successfully or not. */
bool generation_is_answered(const struct generation *generation);

/* Returns true if some provider has never succeeded. */
bool generation_is_blind(const struct generation *generation);

/*
 * Returns the current results of all providers, in the order of `providers`. Valid until a provider changes.
 */
const struct results *const *generation_found(const struct generation *generation);

/*
 * Returns true if samples need the labels of their targets; `targets` is the number of targets. A single
 * address from the flags needs no labels, because no second target can be added.
 */
bool generation_needs_labels(const struct generation *generation, size_t targets);

#endif
