#include "metrics/sketch.h"

#include <assert.h>
#include <math.h>

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

/* Extends first..end so that it includes the bin. */
static void cover(struct sketch_age *age, size_t bin)
{
    if (age->first == age->end) age->first = age->end = bin;
    if (bin < age->first) age->first = bin;
    if (bin >= age->end) age->end = bin + 1;
}

void sketch_observe(struct sketch *sketch, size_t age, double value)
{
    assert(value >= 0 && isfinite(value));
    if (value < SKETCH_LOWEST) {
        sketch->ages[age].zeros++;
        return;
    }
    size_t bin = bin_of(value);
    cover(&sketch->ages[age], bin);
    sketch->bins[bin][age]++;
}

/* Does not write to memory pages that no value has used. */
void sketch_clear(struct sketch *sketch, size_t age)
{
    for (size_t bin = sketch->ages[age].first; bin < sketch->ages[age].end; bin++) sketch->bins[bin][age] = 0;
    sketch->ages[age] = (struct sketch_age){0};
}

static uint64_t bin_count(const struct sketch *sketch, size_t bin)
{
    uint64_t count = 0;
    for (size_t age = 0; age < SKETCH_AGES; age++) count += sketch->bins[bin][age];
    return count;
}

/* Adds the ages: the values that count as 0, and the bins that any of them uses. */
static struct sketch_age join_ages(const struct sketch *sketch)
{
    struct sketch_age all = {0};
    for (const struct sketch_age *age = sketch->ages; age < sketch->ages + SKETCH_AGES; age++) {
        all.zeros += age->zeros;
        if (age->first == age->end) continue;
        cover(&all, age->first);
        cover(&all, age->end - 1);
    }
    return all;
}

void sketch_quantiles(const struct sketch *sketch, const double *quantiles, size_t count, double *values)
{
    struct sketch_age all = join_ages(sketch);
    uint64_t total = all.zeros, seen = all.zeros;
    size_t bin = all.first;
    for (size_t n = all.first; n < all.end; n++) total += bin_count(sketch, n);
    for (size_t n = 0; n < count; n++) {
        assert(quantiles[n] >= 0 && quantiles[n] <= 1);
        if (total == 0) {
            values[n] = NAN;
            continue;
        }
        /* A count above 2^53 may be rounded up as a double. The rank must still be less than the count. */
        double place = quantiles[n] * (double) (total - 1);
        uint64_t rank = place < (double) (total - 1) ? (uint64_t) place : total - 1;
        while (seen <= rank) seen += bin_count(sketch, bin++);
        values[n] = rank < all.zeros ? 0 : bin_value(bin - 1);
    }
}
