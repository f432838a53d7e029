/*
 * A generation: one configuration, the options that it makes of the flags, and the providers that it asks for
 * targets. A reload makes another generation and never changes one.
 *
 * A generation is reference-counted. The manager holds the active one. Work that must keep its configuration
 * across a reload, such as an output, holds a reference of its own. When a generation is replaced, the
 * manager retires it: sources that no generation uses any more are closed, while configuration and options
 * stay valid for the remaining holders.
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
    unsigned long number;        /* the manager's first is 1; no two have the same */
    struct config *config;       /* owned; its `file` is NULL when only the flags speak */
    struct settings settings;    /* the options in force */
    struct provider **providers; /* of all groups in the order of the file; owned array, users of each */
    const struct config_group **owners; /* the group of each provider; owned array */
    const struct results **found;       /* what each provider found, see generation_found; owned array */
    size_t provider_count;              /* 0 once it is retired */
};

/* One provider as metrics show it. */
struct generation_source {
    const char *group; /* "" without a file */
    const struct discovery_state *state;
};

/*
 * Takes over the configuration (allocated with malloc) in any case; the flags are borrowed. 0 and one
 * reference; or a negative libuv code, with a line in `error` unless it is UV_ENOMEM, and then there is
 * nothing to release. The caller gives it a number.
 */
int generation_new(struct generation **generation, struct config *config, const struct options *flags,
                   struct providers *providers, struct buffer *error);

/*
 * For a new generation, before anything uses it: takes over the accesses of another one whose settings and
 * files are the same, so that a reload leaves connections over TLS and logins as they are.
 */
void generation_inherit(struct generation *generation, const struct generation *from);

struct generation *generation_hold(struct generation *generation);

/* NULL is taken. The last reference may only go when the generation is retired. */
void generation_release(struct generation *generation);

/* To be called when it is no longer in force, or never will be. Releases the providers. */
void generation_retire(struct generation *generation);

/* The module of that name, "" meaning "default", which is always there; NULL if there is none. */
const struct config_module *generation_module(const struct generation *generation, struct slice name);

/* The policy of targets in URLs; borrowed, never NULL. */
struct policy *generation_policy(const struct generation *generation);

/* The n-th provider, below provider_count. */
struct generation_source generation_source(const struct generation *generation, size_t n);

/* Whether every provider has answered once, be it with a failure. */
bool generation_is_answered(const struct generation *generation);

/* Whether some provider has never answered well. */
bool generation_is_blind(const struct generation *generation);

/* What each provider has found by now, in their order; good until one of them changes. */
const struct results *const *generation_found(const struct generation *generation);

/*
 * Whether samples carry the labels of their targets, of which there are `targets`. A single address of the
 * flags needs none, since no second target can come.
 */
bool generation_needs_labels(const struct generation *generation, size_t targets);

#endif
