/*
 * Lists of targets: the ones that a URL names (each name once), and those of a target set (its builder checks
 * for duplicates).
 */
#ifndef TARGETS_TARGET_LIST_H
#define TARGETS_TARGET_LIST_H

#include "base/set.h"
#include "memcached/fleet.h"

#include <stddef.h>

struct target_list {
    struct target **items; /* owned, as are the targets */
    size_t count, size;
    struct set names; /* of the targets that target_list_add appended; their texts are the targets' */
};

/* Releases the targets and the array; the list is empty then. An empty list is all zero. */
void target_list_clear(struct target_list *list);

/*
 * Makes a target whose samples carry label="name" and appends it; for the profile see target_new. A name that
 * was added before is not added again. 0, or UV_ENOMEM: then the list is as it was.
 */
int target_list_add(struct target_list *list, struct fleet *fleet, const struct address *address,
                    struct profile *profile, const char *label, struct slice name);

/* Appends a target, which is the list's from then on. 0, or UV_ENOMEM: then it is still the caller's. */
int target_list_append(struct target_list *list, struct target *target);

#endif
