/* Lists of targets, from what users wrote on the command line or in a URL. */
#ifndef TARGETS_H
#define TARGETS_H

#include "memcached/fleet.h"

#include <stdbool.h>
#include <stddef.h>

/* The port of a memcached whose address names none. */
#define MEMCACHED_PORT 11211

struct target_list {
    struct target **items; /* owned, as are the targets */
    size_t count, size;
};

/* Releases the targets and the array; the list is empty then. */
void target_list_clear(struct target_list *list);

/*
 * Makes a target whose samples carry label="name" and appends it. A name that is in the list already is not
 * added again. 0 or UV_ENOMEM.
 */
int target_list_add(struct target_list *list, struct fleet *fleet, const struct address *address,
                    const char *label, struct slice name);

/* Whether a target of the list has that address, however it was written. */
bool target_list_has(const struct target_list *list, const struct address *address);

#endif
