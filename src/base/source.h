/*
 * Bytes that somebody makes as they are asked for: an exposition on its way to a client, a file or a push.
 */
#ifndef BASE_SOURCE_H
#define BASE_SOURCE_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct source {
    /*
     * Appends about `want` bytes to `out` (at least one, unless it ends) and returns true while there is more
     * to come. A failed `out` ends nothing by itself: who asked looks at it.
     */
    bool (*fill)(struct source *source, struct buffer *out, size_t want);

    /* Called exactly once, when it is done or will not be asked again; may free the source. */
    void (*release)(struct source *source);
};

#endif
