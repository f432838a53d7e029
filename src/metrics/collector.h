/*
 * Something that writes samples, and the exposition that walks several of them.
 *
 * A collector keeps its place between two steps, so that a large exposition is written piece by piece, as
 * fast as its reader takes it, and is never in memory as a whole.
 */
#ifndef METRICS_COLLECTOR_H
#define METRICS_COLLECTOR_H

#include "base/buffer.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

struct collector;

/* Writes the next few samples (a bounded step) and returns true, or returns false when there are no more. */
typedef bool (*collector_step_fn)(struct collector *collector, struct encoder *encoder);

/* Embedded in a collector's own struct, for one walk. */
struct collector {
    collector_step_fn step;
};

#define EXPOSITION_COLLECTORS_MAX 8

struct exposition {
    struct encoder encoder;
    struct collector *collectors[EXPOSITION_COLLECTORS_MAX]; /* borrowed */
    size_t count, current;
};

void exposition_init(struct exposition *exposition);

/* At most EXPOSITION_COLLECTORS_MAX (asserted). Their families must differ. */
void exposition_add(struct exposition *exposition, struct collector *collector);

/* Appends steps until `out` holds `want` bytes or more; false when the exposition is whole. */
bool exposition_fill(struct exposition *exposition, struct buffer *out, size_t want);

#endif
