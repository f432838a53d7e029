/*
 * Collectors, and the exposition that walks them.
 *
 * A collector is static data: a name, families and constant labels. At each scrape, a walk writes the
 * collector's samples in steps and remembers its position between them. So a large exposition is written
 * piece by piece, as fast as the client reads. It is never in memory as a whole.
 */
#ifndef METRICS_COLLECTOR_H
#define METRICS_COLLECTOR_H

#include "base/buffer.h"
#include "metrics/encoder.h"

#include <stdbool.h>
#include <stddef.h>

/* Must stay valid as long as its registry. */
struct collector {
    const char *name;                     /* one word, for error messages */
    const struct family *const *families; /* the families of all samples, in the order of the exposition */
    size_t count;
    const char *labels; /* rendered constant labels; "" for none */
};

struct walk;

/*
 * Writes the next few samples and returns true, or returns false if there are no more. A step must be short.
 */
typedef bool (*walk_step_fn)(struct walk *walk, struct encoder *encoder);

/* One walk over a collector's samples. Embedded in the collector's own struct. */
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

/* May be called before the exposition is complete. */
void exposition_deinit(struct exposition *exposition);

/* Adds a walk, in the order of the registry. There may be at most EXPOSITION_WALKS_MAX (asserted). */
void exposition_add(struct exposition *exposition, struct walk *walk);

/*
 * Runs steps until `out` has at least `want` bytes or some hundred steps are done. Returns false if the
 * exposition is complete.
 */
bool exposition_fill(struct exposition *exposition, struct buffer *out, size_t want);

#endif
