#include "metrics/sketch.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* SKETCH_LOWEST is the first value with the power LOWEST_POWER: frexp returns it as 0.5 * 2^LOWEST_POWER. */
#define LOWEST_POWER (-29)

static size_t bin_of(double value)
{
    int power;
    if (value >= SKETCH_HIGHEST) return SKETCH_BINS - 1;
    double fraction = frexp(value, &power);
    size_t part = (size_t) ((fraction - 0.5) * (2 * SKETCH_PARTS));
    return (size_t) (power - LOWEST_POWER) * SKETCH_PARTS + part;
}

/*
 * Returns the middle of a bin, half a part from its ends. Where a power of two begins, this distance equals
 * the error bound.
 */
static double bin_value(size_t bin)
{
    double part = (double) (bin % SKETCH_PARTS) + 0.5;
    return ldexp(0.5 + part / (2 * SKETCH_PARTS), (int) (bin / SKETCH_PARTS) + LOWEST_POWER);
}

void sketch_init(struct sketch *sketch)
{
    memset(sketch, 0, sizeof(*sketch));
}

/* Extends first..end so that it includes these bins. */
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

/* Does not write to memory pages that no value has used. */
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

    /* A count above 2^53 may be rounded up as a double. The rank must still be less than the count. */
    double place = q * (double) (count - 1);
    uint64_t rank = place < (double) (count - 1) ? (uint64_t) place : count - 1;
    uint64_t seen = sketch->zeros;
    size_t bin = sketch->first;
    if (rank < seen) return 0;
    while (seen += sketch->bins[bin], seen <= rank) bin++;
    return bin_value(bin);
}
