/*
 * Makes a target set from a configuration and from what its providers have found, a few hundred targets at a
 * time.
 *
 * Four kinds of targets are left out, and counted:
 * - duplicates: a server that its group names a second time, and a target whose labels are those of another
 *   target, since both would have the same series;
 * - refused: the source gave the target a label that samples have themselves (such as "slab"), or labels that
 *   are too long;
 * - malformed: the source named something that is no address. It was left out there; the builder counts it;
 * - forbidden: an endpoint of ElastiCache named an address that the target policy forbids. A name that it
 *   named is judged when it is resolved.
 *
 * Found labels that begin with "__" only serve as references in the labels of the group. A label of the group
 * wins over a found one of the same name.
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

/* What a target_set is made of; borrowed until the builder is released. */
struct target_set_builder_parts {
    struct fleet *fleet;
    const struct config *config;
    const struct results *const *found; /* of the sources of all groups, one group behind the other */
    const char *target_label;
    struct shard shard; /* other targets are left out */
    bool (*label_reserved)(struct slice name);
};

/* Targets that were left out for one reason. */
struct target_set_builder_dropped {
    size_t count;
    char example[ADDRESS_HOST_MAX + 160]; /* the last of them; of a malformed one also what is wrong */
};

struct target_set_builder {
    struct target_set_builder_parts parts;
    struct target_set *target_set;      /* owned */
    size_t group, found;                /* its place: the group, its current source among all */
    const struct config_source *source; /* of the group; NULL while its own targets are taken */
    size_t target;                      /* of the group, or of what the source found */
    const struct config_module *module; /* of the last target, and the profile that follows from it */
    struct profile *profile;            /* held */
    struct set addresses, labels;       /* of the group; of all */
    struct buffer rendered, value;      /* of one target's labels, of one label; allocated once */
    struct target_set_builder_dropped duplicates, refused, malformed, forbidden;
};

/*
 * 0 or UV_ENOMEM; target_set_builder_deinit follows in any case. The target set will have on_unused and
 * owner.
 */
int target_set_builder_init(struct target_set_builder *builder, const struct target_set_builder_parts *parts,
                            void (*on_unused)(struct target_set *target_set), void *owner);

/* Adds up to `count` targets. 0 while there are more, 1 when the target set is complete, or UV_ENOMEM. */
int target_set_builder_step(struct target_set_builder *builder, size_t count);

/* Whether the builder is reading these results now, so that they must not change. */
bool target_set_builder_reads(const struct target_set_builder *builder, const struct results *found);

/* The target_set, which is the caller's from then on. */
struct target_set *target_set_builder_take(struct target_set_builder *builder);

/* Releases what was not taken. */
void target_set_builder_deinit(struct target_set_builder *builder);

#endif
