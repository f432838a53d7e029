/*
 * The targets that are configured at one moment: a list that is made once, shared by the scrapes that walk
 * it, and never changed. A reload, or an answer of a discovery, makes another one.
 *
 * It is made, and taken apart, a few hundred targets at a time, so that ten thousand do not hold the loop;
 * inventory.c sees to that.
 */
#ifndef ROSTER_H
#define ROSTER_H

#include "targets.h"

#include <stdbool.h>
#include <stddef.h>

struct roster_group {
    char *name, *module; /* owned */
};

struct roster {
    unsigned references;
    bool with_labels;            /* samples carry their target's labels */
    bool blind;                  /* it has no target, and some source has never answered well */
    struct target_list targets;  /* each target's `group` is a place in `groups` */
    struct roster_group *groups; /* owned */
    size_t group_count;
    void (*on_unused)(struct roster *roster); /* nobody holds it any more: the owner takes it apart */
    void *owner;
    struct roster *next; /* of the owner, of those that are taken apart */
};

/* Without targets or groups, and with one reference. NULL when out of memory. */
struct roster *roster_new(void (*on_unused)(struct roster *roster), void *owner);

/* Copies both. False when out of memory. */
bool roster_add_group(struct roster *roster, const char *name, const char *module);

struct roster *roster_hold(struct roster *roster);

/* NULL is taken. */
void roster_release(struct roster *roster);

/* Of one that nobody holds: releases at most so many targets, the last ones first; frees it when none is
 * left, and then returns true. */
bool roster_dismantle(struct roster *roster, size_t count);

#endif
