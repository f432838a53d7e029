/* Finds the known name that a user probably meant by an unknown name ("did you mean ...?"). */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/slice.h"

#include <stddef.h>

struct nearest {
    struct slice written; /* the unknown name; borrowed */
    const char *name;     /* nearest known name so far, borrowed; NULL while no name is near enough */
    size_t distance;
};

void nearest_init(struct nearest *nearest, struct slice written);

/*
 * Remembers `name` if it is nearer than all names before. The name must be at most three edits away, and half
 * of it must be unchanged.
 */
void nearest_try(struct nearest *nearest, const char *name);

#endif
