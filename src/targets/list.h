/* Lists of targets, from what users wrote on the command line or in a URL. */
#ifndef TARGETS_LIST_H
#define TARGETS_LIST_H

#include "memcached/fleet.h"
#include "net/shard.h"

#include <stdbool.h>
#include <stddef.h>

struct target_list {
    struct target **items; /* owned, as are the targets */
    size_t count, size;
};

/* Releases the targets and the array; the list is empty then. */
void target_list_clear(struct target_list *list);

/*
 * Makes a target whose samples carry label="name" and appends it; for the profile see target_new. A name that
 * is in the list already is not added again. 0 or UV_ENOMEM.
 */
int target_list_add(struct target_list *list, struct fleet *fleet, const struct address *address,
                    struct profile *profile, const char *label, struct slice name);

/* Appends a target, which is the list's from then on. 0, or UV_ENOMEM: then it is still the caller's. */
int target_list_append(struct target_list *list, struct target *target);

#endif
