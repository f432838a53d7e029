/*
 * Produces bytes piece by piece, whenever the reader asks for more. The bytes are an exposition; the reader
 * sends them to an HTTP client, a file or a Pushgateway.
 */
#ifndef BASE_PRODUCER_H
#define BASE_PRODUCER_H

#include "base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

struct producer {
    /*
     * Appends about `want` bytes to `out`, and at least one byte unless the end is reached. Returns true
     * while more bytes follow. When memory runs out, `out` has failed and the result is meaningless; the
     * reader checks `out->failed`.
     */
    bool (*fill)(struct producer *producer, struct buffer *out, size_t want);

    /* The reader calls this exactly once: at the end, or when it gives up early. May free the producer. */
    void (*release)(struct producer *producer);
};

#endif
