/*
 * Makes bytes piece by piece, whenever its reader asks for more: an exposition on its way to an HTTP client,
 * a file or a Pushgateway.
 */
#ifndef BASE_PRODUCER_H
#define BASE_PRODUCER_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct producer {
    /*
     * Appends about `want` bytes to `out`, at least one unless this is the end. Returns true while there is
     * more. When memory runs out, `out` has failed and the result says nothing; the reader checks
     * `out->failed`.
     */
    bool (*fill)(struct producer *producer, struct buffer *out, size_t want);

    /* The reader calls it exactly once, at the end or when it gives up early. May free the producer. */
    void (*release)(struct producer *producer);
};

#endif
