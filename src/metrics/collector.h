/*
 * Collectors, and the exposition that walks them.
 *
 * A collector is described once: its name, its families, its constant labels. At each scrape a walk writes
 * its samples in steps and remembers its position between them. So a large exposition is written piece by
 * piece, as fast as the client reads, and is never in memory as a whole.
 */
#ifndef METRICS_COLLECTOR_H
#define METRICS_COLLECTOR_H

#include "base/buffer.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* Lives as long as the registry that it is registered in. */
struct collector {
    const char *name;                     /* a plain word, for errors and people */
    const struct family *const *families; /* each sample belongs to one of these, in this order */
    size_t count;
    const char *labels; /* rendered constant labels, "" for none */
};

struct walk;

/* Writes the next few samples (a bounded step) and returns true, or returns false when there are no more. */
typedef bool (*walk_step_fn)(struct walk *walk, struct encoder *encoder);

/* One walk over a collector's samples; embedded in the collector's own struct. */
struct walk {
    const struct collector *collector;
    walk_step_fn step;
};

#define EXPOSITION_WALKS_MAX 8

struct exposition {
    struct encoder encoder;
    struct walk *walks[EXPOSITION_WALKS_MAX]; /* borrowed */
    size_t count, current;
    bool finished;
};

void exposition_init(struct exposition *exposition, enum format format, struct slice filter);

/* May come before the end. */
void exposition_deinit(struct exposition *exposition);

/* At most EXPOSITION_WALKS_MAX (asserted), in the order of the registry. */
void exposition_add(struct exposition *exposition, struct walk *walk);

/*
 * Appends steps until `out` holds `want` bytes or more, or some hundred steps are done; false when the
 * exposition is whole.
 */
bool exposition_fill(struct exposition *exposition, struct buffer *out, size_t want);

#endif
