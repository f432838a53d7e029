/*
 * Makes a target set from a configuration and the results of its providers, a few hundred targets at a time.
 *
 * Four kinds of targets are left out and counted:
 * - duplicates: a server that is listed twice in its group, or a target with the same labels as another
 *   target. Both would have the same series.
 * - refused: the source gave the target a label that samples use themselves (such as "slab"), or labels
 *   that are too long.
 * - malformed: the source found a text that is not an address. The source leaves it out; the builder only
 *   counts it.
 * - forbidden: an ElastiCache endpoint returned an address that the target policy forbids. A host name is
 *   checked when it is resolved.
 *
 * Discovered labels that begin with "__" are only used by references in the labels of the group. A label of
 * the group overrides a discovered label of the same name.
 */
#ifndef TARGETS_TARGET_SET_BUILDER_H
#define TARGETS_TARGET_SET_BUILDER_H

#include "base/set.h"
#include "config/config.h"
#include "discovery/results.h"
#include "memcached/fleet.h"
#include "net/shard.h"
#include "targets/target_set.h"

#include <stdbool.h>
#include <stddef.h>

/* Inputs of a target set; borrowed until target_set_builder_deinit. */
struct target_set_builder_parts {
    struct fleet *fleet;
    const struct config *config;
    const struct results *const *found; /* results of the sources of all groups, group by group */
    const char *target_label;
    struct shard shard; /* targets of other shards are left out */
    bool (*label_reserved)(struct slice name);
};

/* Targets that were left out for one reason. */
struct target_set_builder_dropped {
    size_t count;
    char example[ADDRESS_HOST_MAX + 160]; /* the last one; for a malformed target, also the reason */
};

struct target_set_builder {
    struct target_set_builder_parts parts;
    struct target_set *target_set;      /* owned reference */
    size_t group, found;                /* current group; index of the current source among the sources of
                                           all groups */
    const struct config_source *source; /* current source of the group; NULL while the builder takes the
                                           targets listed in the group */
    size_t target;                      /* index of the next target in the group's list or in the results
                                           of the source */
    const struct config_module *module; /* module of the last target; `profile` belongs to it */
    struct profile *profile;            /* owned reference */
    struct set addresses, labels;       /* addresses in the current group; labels of all targets */
    struct buffer rendered, value;      /* labels of one target; value of one label. Both are allocated
                                           once */
    struct target_set_builder_dropped duplicates, refused, malformed, forbidden;
};

/*
 * Starts a target set, which gets `on_unused` and `owner`. Returns 0 or UV_ENOMEM. Call
 * target_set_builder_deinit in either case.
 */
int target_set_builder_init(struct target_set_builder *builder, const struct target_set_builder_parts *parts,
                            void (*on_unused)(struct target_set *target_set), void *owner);

/* Adds up to `count` targets. Returns 0 if targets remain, 1 if the target set is complete, or UV_ENOMEM. */
int target_set_builder_step(struct target_set_builder *builder, size_t count);

/*
 * Returns true if the builder is reading `found` now. If `found` then changes, the builder must start again.
 */
bool target_set_builder_reads(const struct target_set_builder *builder, const struct results *found);

/* Returns the target set; the caller owns its reference. */
struct target_set *target_set_builder_take(struct target_set_builder *builder);

/* Frees the builder, and the target set unless it was taken. */
void target_set_builder_deinit(struct target_set_builder *builder);

#endif
