/*
 * All configured targets at one moment. A target set never changes, and all scrapes that began with it share
 * it. A reload, or a new answer from discovery, makes a new one.
 *
 * targets/manager.c makes and frees it a few hundred targets at a time, so that ten thousand do not block the
 * loop.
 */
#ifndef TARGETS_TARGET_SET_H
#define TARGETS_TARGET_SET_H

#include "targets/target_list.h"

#include <stdbool.h>
#include <stddef.h>

struct target_set_group {
    char *name, *module; /* owned */
};

struct target_set {
    unsigned references;
    bool with_labels;                /* samples carry their target's labels */
    bool blind;                      /* it has no target, and some source has never answered well */
    struct target_list targets;      /* each target's `group` is a place in `groups` */
    struct target_set_group *groups; /* owned */
    size_t group_count;
    void (*on_unused)(struct target_set *target_set); /* nobody holds it any more: the owner takes it apart */
    void *owner;
    struct target_set *next; /* of the owner, of those that are taken apart */
};

/* Without targets or groups, and with one reference. NULL when out of memory. */
struct target_set *target_set_new(void (*on_unused)(struct target_set *target_set), void *owner);

/* Copies both. False when out of memory. */
bool target_set_add_group(struct target_set *target_set, const char *name, const char *module);

struct target_set *target_set_hold(struct target_set *target_set);

/* NULL is taken. */
void target_set_release(struct target_set *target_set);

/*
 * For a target set without references: releases at most `count` targets, the last ones first. When none is
 * left, frees the target set and returns true.
 */
bool target_set_dismantle(struct target_set *target_set, size_t count);

#endif
