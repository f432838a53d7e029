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
     * Appends to `out` until it has about `want` bytes. Returns true while more bytes follow. It may append
     * less, or nothing, when it takes long to find more: then the reader asks again. When memory runs out,
     * `out` has failed and the result is meaningless; the reader checks `out->failed`.
     */
    bool (*fill)(struct producer *producer, struct buffer *out, size_t want);

    /* The reader calls this exactly once: at the end, or when it gives up early. May free the producer. */
    void (*release)(struct producer *producer);
};

/* For a reader that cannot wait: appends at least one byte unless this is the end. */
static inline bool producer_fill_some(struct producer *producer, struct buffer *out, size_t want)
{
    size_t before = out->len;
    bool more;
    do {
        more = producer->fill(producer, out, want);
    } while (more && out->len == before && !out->failed);
    return more;
}

#endif
