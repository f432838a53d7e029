/*
 * Lists of targets. target_list_add makes the list of a URL, which has each name once. target_list_append
 * makes the list of a target set, whose builder checks for duplicates.
 */
#ifndef TARGETS_TARGET_LIST_H
#define TARGETS_TARGET_LIST_H

#include "base/set.h"
#include "memcached/fleet.h"

#include <stddef.h>

struct target_list {
    struct target **items; /* owned array; the list has a reference to each target */
    size_t count, size;
    struct set names; /* names of the targets that target_list_add appended; the texts belong to the
                         targets */
};

/* Releases the targets and the array. The list is then empty: all its fields are zero. */
void target_list_clear(struct target_list *list);

/*
 * Makes a target whose samples have label="name", and appends it. See target_new for the profile. Does
 * nothing if the name is already in the list. Returns 0, or UV_ENOMEM; the list is then unchanged.
 */
int target_list_add(struct target_list *list, struct fleet *fleet, const struct address *address,
                    struct profile *profile, const char *label, struct slice name);

/*
 * Appends a target. On success the list owns the caller's reference. Returns 0, or UV_ENOMEM; the caller then
 * keeps the reference.
 */
int target_list_append(struct target_list *list, struct target *target);

#endif
