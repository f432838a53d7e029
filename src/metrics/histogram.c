#include "metrics/histogram.h"

#include <assert.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool bounds_are_valid(const double *bounds, size_t count)
{
    if (count > HISTOGRAM_BOUNDS_MAX) return false;
    for (size_t i = 0; i < count; i++) {
        if (!isfinite(bounds[i])) return false;
        if (i && bounds[i] <= bounds[i - 1]) return false;
    }
    return true;
}

void histogram_init(struct histogram *histogram, const double *bounds, size_t count, double created)
{
    assert(bounds_are_valid(bounds, count));
    *histogram = (struct histogram){.bounds = bounds, .count = count, .created = created};
}

void histogram_set_native(struct histogram *histogram, struct native *native)
{
    native_init(native);
    histogram->native = native;
}

void histogram_deinit(struct histogram *histogram)
{
    free(histogram->exemplars);
    histogram->exemplars = NULL;
}

/*
 * Returns the bucket of a value. A bound belongs to the bucket below it, as `le` requires. There are few
 * bounds, so a linear search is fast enough.
 */
static size_t bucket_of(const struct histogram *histogram, double value)
{
    size_t bucket = 0;
    while (bucket < histogram->count && value > histogram->bounds[bucket]) bucket++;
    return bucket;
}

void histogram_observe(struct histogram *histogram, double value)
{
    if (isnan(value)) return;
    histogram->counts[bucket_of(histogram, value)]++;
    histogram->sum += value;
    if (histogram->native) native_observe(histogram->native, value);
}

void histogram_observe_example(struct histogram *histogram, double value, struct slice labels, double now)
{
    histogram_observe(histogram, value);
    if (isnan(value)) return;

    /* Most histograms never get an exemplar, so the memory is allocated when needed. */
    if (!histogram->exemplars) {
        histogram->exemplars = calloc(histogram->count + 1, sizeof(*histogram->exemplars));
        if (!histogram->exemplars) return;
    }
    struct exemplar *exemplar = &histogram->exemplars[bucket_of(histogram, value)];
    exemplar->value = value;
    exemplar->timestamp = now;
    exemplar->labels_len = 0;
    /* Labels that are too long are not cut: cut labels would be wrong labels. */
    if (labels.len == 0 || labels.len > EXEMPLAR_LABELS_MAX) return;
    memcpy(exemplar->labels, labels.data, labels.len);
    exemplar->labels_len = (uint16_t) labels.len;
}

struct histogram_view histogram_view(const struct histogram *histogram)
{
    bool falls = histogram->count && histogram->bounds[0] < 0;
    return (struct histogram_view){
        .bounds = histogram->bounds,
        .counts = histogram->counts,
        .count = histogram->count,
        .sum = falls ? (double) NAN : histogram->sum,
        .created = histogram->created,
        .exemplars = histogram->exemplars,
        .native = histogram->native,
    };
}
