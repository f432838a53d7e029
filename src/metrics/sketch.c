#include "metrics/sketch.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/*
 * Bin i holds the values v with
 *
 *      LOWEST * growth^(i - 1)  <  v  <=  LOWEST * growth^i,   growth = (1 + error) / (1 - error)
 *
 * and stands for its upper bound u less the error. That is u * error away from u, and as the lower bound is
 * u * (1 - error) / (1 + error), it is the lower bound plus the error as well: both ends are equally far,
 * relative to themselves, and everything between them is nearer.
 */
static double log_growth(void)
{
    return log((1 + SKETCH_RELATIVE_ERROR) / (1 - SKETCH_RELATIVE_ERROR));
}

static size_t bin_of(double value)
{
    if (value >= SKETCH_HIGHEST) return SKETCH_BINS - 1;
    double bin = ceil(log(value / SKETCH_LOWEST) / log_growth());
    return bin > 0 ? (size_t) bin : 0;
}

static double bin_value(size_t bin)
{
    return SKETCH_LOWEST * exp((double) bin * log_growth()) * (1 - SKETCH_RELATIVE_ERROR);
}

void sketch_init(struct sketch *sketch)
{
    memset(sketch, 0, sizeof(*sketch));
}

/* Widens first..end to hold these bins too. */
static void cover(struct sketch *sketch, size_t first, size_t end)
{
    if (sketch->first == sketch->end) {
        sketch->first = first;
        sketch->end = end;
        return;
    }
    if (first < sketch->first) sketch->first = first;
    if (end > sketch->end) sketch->end = end;
}

void sketch_observe(struct sketch *sketch, double value)
{
    assert(value >= 0 && isfinite(value));
    if (value < SKETCH_LOWEST) {
        sketch->zeros++;
        return;
    }
    size_t bin = bin_of(value);
    cover(sketch, bin, bin + 1);
    sketch->bins[bin]++;
}

/* Leaves the pages alone that no value has touched. */
void sketch_clear(struct sketch *sketch)
{
    memset(sketch->bins + sketch->first, 0, (sketch->end - sketch->first) * sizeof(sketch->bins[0]));
    sketch->zeros = 0;
    sketch->first = sketch->end = 0;
}

void sketch_merge(struct sketch *sketch, const struct sketch *from)
{
    sketch->zeros += from->zeros;
    if (from->first == from->end) return;
    cover(sketch, from->first, from->end);
    for (size_t bin = from->first; bin < from->end; bin++) sketch->bins[bin] += from->bins[bin];
}

double sketch_quantile(const struct sketch *sketch, double q)
{
    assert(q >= 0 && q <= 1);
    uint64_t count = sketch->zeros;
    for (size_t bin = sketch->first; bin < sketch->end; bin++) count += sketch->bins[bin];
    if (count == 0) return NAN;

    /* A count beyond 2^53 may be rounded up as a double; the place stays one of the values all the same. */
    double place = floor(q * (double) (count - 1));
    uint64_t rank = place < (double) (count - 1) ? (uint64_t) place : count - 1;
    uint64_t seen = sketch->zeros;
    size_t bin = sketch->first;
    if (rank < seen) return 0;
    while (seen += sketch->bins[bin], seen <= rank) bin++;
    return bin_value(bin);
}
