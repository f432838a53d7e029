/* A histogram: counts observations in buckets, since the start of the process. Pure. */
#ifndef METRICS_HISTOGRAM_H
#define METRICS_HISTOGRAM_H

#include "base/slice.h"
#include "metrics/native.h"

#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_BOUNDS_MAX 32

/*
 * An example of an observation in a bucket, for OpenMetrics. The labels are rendered (a="1"), at most 128
 * bytes.
 */
#define EXEMPLAR_LABELS_MAX 128
struct exemplar {
    double value;
    double timestamp; /* seconds since the unix epoch; 0: no example */
    uint16_t labels_len;
    char labels[EXEMPLAR_LABELS_MAX];
};

/* The values of a histogram, in the form that encoders write. */
struct histogram_view {
    const double *bounds; /* upper bounds, inclusive, ascending, finite */
    /* `count` + 1 numbers, not cumulative; the last one is for values above all bounds. */
    const uint64_t *counts;
    size_t count;                     /* number of bounds */
    double sum;                       /* sum of all observations; NAN: no sum is written */
    double created;                   /* seconds since the unix epoch; 0 if not known */
    const struct exemplar *exemplars; /* `count` + 1 exemplars, or NULL */
    const struct native *native;      /* the same observations in a native histogram, or NULL */
};

struct histogram {
    const double *bounds; /* borrowed */
    size_t count;
    uint64_t counts[HISTOGRAM_BOUNDS_MAX + 1];
    double sum, created;
    struct exemplar *exemplars; /* owned; NULL without exemplars */
    struct native *native;      /* borrowed; NULL without a native histogram */
};

/*
 * Initialises a histogram. `bounds` must stay valid as long as the histogram. They are finite and ascending,
 * and there are at most HISTOGRAM_BOUNDS_MAX (asserted). Without bounds, the histogram only counts and sums.
 * `created` is the current time, in seconds since the unix epoch.
 */
void histogram_init(struct histogram *histogram, const double *bounds, size_t count, double created);

/*
 * Also counts in `native`, for formats that have native histograms. Call it before the first observation.
 * Initialises `native`, which must stay valid as long as the histogram.
 */
void histogram_set_native(struct histogram *histogram, struct native *native);

/* Releases the exemplars. */
void histogram_deinit(struct histogram *histogram);

/* Counts an observation. Ignores NAN. Infinity counts in the first or last bucket and in the sum. */
void histogram_observe(struct histogram *histogram, double value);

/*
 * Counts an observation and stores it as the exemplar of its bucket, replacing an earlier one. The first call
 * allocates the memory for exemplars; without memory there is no exemplar. The labels are left out if they
 * are longer than EXEMPLAR_LABELS_MAX. `now` is in seconds since the unix epoch, not 0.
 */
void histogram_observe_example(struct histogram *histogram, double value, struct slice labels, double now);

/*
 * Returns the current values, valid until the next observation. The sum is NAN if the first bound is
 * negative. Such a sum may fall, so it is no counter, and OpenMetrics ("Histogram") forbids it.
 */
struct histogram_view histogram_view(const struct histogram *histogram);

#endif
