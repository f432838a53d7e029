/*
 * All configured targets at one moment. A target set never changes, and scrapes share it. A reload or a new
 * result of discovery makes a new target set.
 *
 * targets/manager.c makes and frees a target set a few hundred targets at a time. So ten thousand targets do
 * not block the loop.
 */
#ifndef TARGETS_TARGET_SET_H
#define TARGETS_TARGET_SET_H

#include "targets/target_list.h"

#include <stdbool.h>
#include <stddef.h>

struct target_set_group {
    char *name, *module; /* owned */
    unsigned number;     /* see fleet_group */
};

struct target_set {
    unsigned references;
    bool with_labels;                /* true if samples have the labels of their target */
    bool blind;                      /* true if there is no target and some source has never succeeded */
    size_t elsewhere;                /* number of configured targets that belong to other shards */
    struct target_list targets;      /* each target's `group` is an index in `groups` */
    struct target_set_group *groups; /* owned array */
    size_t group_count;
    void (*on_unused)(struct target_set *target_set); /* called when the last reference is released; the
                                                         owner then frees the target set */
    void *owner;
    struct target_set *next; /* next in the owner's list of target sets to be freed */
};

/* Makes a target set without targets and groups, with one reference. Returns NULL when out of memory. */
struct target_set *target_set_new(void (*on_unused)(struct target_set *target_set), void *owner);

/* Adds a group with its number in the fleet; copies both strings. Returns false when out of memory. */
bool target_set_add_group(struct target_set *target_set, const char *name, const char *module,
                          unsigned number);

struct target_set *target_set_hold(struct target_set *target_set);

/* Releases a reference. `target_set` may be NULL. */
void target_set_release(struct target_set *target_set);

/*
 * Releases up to `count` targets of a target set without references, beginning with the last one. When no
 * target is left, frees the target set and returns true.
 */
bool target_set_dismantle(struct target_set *target_set, size_t count);

#endif
