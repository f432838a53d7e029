/*
 * Observations counted in buckets, since the start of the process. Pure.
 */
#ifndef METRICS_HISTOGRAM_H
#define METRICS_HISTOGRAM_H

#include "base/slice.h"
#include "metrics/native.h"

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 32

/* An example of an observation in a bucket, for OpenMetrics. The labels are rendered (a="1"), at most 128
 * characters. */
#define EXEMPLAR_LABELS_MAX 128
struct exemplar {
    double value;
    double timestamp; /* seconds since the unix epoch; 0: there is none */
    uint16_t labels_len;
    char labels[EXEMPLAR_LABELS_MAX];
};

/* What an encoder writes of a histogram, wherever it comes from. */
struct histogram_view {
    const double *bounds;             /* upper bounds, inclusive, ascending, finite */
    const uint64_t *counts;           /* count + 1 of them, not cumulative; the last is above all bounds */
    size_t count;                     /* of bounds */
    double sum;                       /* of all observations; NAN when there is none to write */
    double created;                   /* seconds since the unix epoch; 0 if not known */
    const struct exemplar *exemplars; /* count + 1 of them, or NULL */
    const struct native *native;      /* the same observations in finer buckets, or NULL */
};

struct histogram {
    const double *bounds; /* borrowed */
    size_t count;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
    double sum, created;
    struct exemplar *exemplars; /* owned; NULL without exemplars */
    struct native *native;      /* borrowed; NULL without */
};

/*
 * `bounds` live as long as the histogram: finite, ascending, at most HISTOGRAM_BOUNDS_MAX (asserted). None at
 * all is a histogram too: it counts and sums. `created` is the time now, in seconds since the unix epoch.
 */
void histogram_init(struct histogram *histogram, const double *bounds, size_t count, double created);

/*
 * Counts in a native histogram as well, for the formats that have them; to be called before the first
 * observation. It is initialised here and lives as long as the histogram.
 */
void histogram_set_native(struct histogram *histogram, struct native *native);

/* Releases the exemplars. */
void histogram_deinit(struct histogram *histogram);

/* NAN is not observed. An infinity is: in the first bucket or in the last, and in the sum. */
void histogram_observe(struct histogram *histogram, double value);

/*
 * The same, and keeps the observation as its bucket's example in place of an earlier one. The memory for the
 * examples is taken here, once. Labels that are too long are left out of the example, whole; without memory
 * there is no example. The observation counts all the same. `now` is in seconds since the unix epoch, not 0.
 */
void histogram_observe_example(struct histogram *histogram, double value, struct slice labels, double now);

/*
 * Good until the next observation. It has no sum when the first bound is negative: a sum that may fall is no
 * counter, and OpenMetrics ("Histogram") forbids it.
 */
struct histogram_view histogram_view(const struct histogram *histogram);

#endif
