/* Finds the known name that a user probably meant by an unknown one ("did you mean ...?"). */
#ifndef BASE_NEAREST_H
#define BASE_NEAREST_H

#include "base/slice.h"

#include <stddef.h>

struct nearest {
    struct slice written; /* borrowed */
    const char *name;     /* the nearest name tried so far, borrowed; NULL while none is near */
    size_t distance;
};

void nearest_init(struct nearest *nearest, struct slice written);

/* Takes the name if it is nearer than those before: at most three edits away, and half of it unchanged. */
void nearest_try(struct nearest *nearest, const char *name);

#endif
