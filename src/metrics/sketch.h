/*
 * A sketch: quantiles of many values in bounded memory, with a bounded error. Pure; knows no time.
 *
 * This is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", VLDB 2019) with linear interpolation. Each power of two is divided into
 * SKETCH_PARTS bins of equal width. So the middle of a bin differs from any value in the bin by at most
 * SKETCH_RELATIVE_ERROR of that value. Bounds that grow by a constant factor would need a third fewer bins,
 * but also a logarithm. libm would add half a megabyte to the process. The paper limits the number of bins by
 * joining the lowest ones, which makes them inaccurate. This sketch limits the range of values instead.
 * Within the range, the error bound always holds.
 *
 * The values have ages, numbered from 0, so that the oldest can be dropped. The counts of all ages lie side
 * by side, because values of different ages resemble each other. So they use the same few pages of memory.
 *
 * The memory is sizeof(struct sketch), 140 KB, for any number of values. Only the pages of bins that count a
 * value are used.
 */
#ifndef METRICS_SKETCH_H
#define METRICS_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define SKETCH_RELATIVE_ERROR 0.01
#define SKETCH_LOWEST         0x1p-30 /* 0.93e-9; lower values count as 0 */
#define SKETCH_HIGHEST        0x1p40  /* 1.1e12; higher values count as this */

#define SKETCH_PARTS 50 /* 1 / (2 * error) */
#define SKETCH_BINS  (70 * SKETCH_PARTS)

#define SKETCH_AGES 5

struct sketch_age {
    uint64_t zeros;
    size_t first, end; /* bins outside first..end-1 are 0; first == end: all bins are 0 */
};

/* A sketch without values is all zero, and owns no other memory. */
struct sketch {
    struct sketch_age ages[SKETCH_AGES];
    uint64_t bins[SKETCH_BINS][SKETCH_AGES];
};

/* Counts a value, which must be at least 0 and finite (asserted). */
void sketch_observe(struct sketch *sketch, size_t age, double value);

/* Drops the values of an age. The time depends on the number of bins in use. */
void sketch_clear(struct sketch *sketch, size_t age);

/*
 * For each of `count` numbers q in `quantiles`, writes the value at position floor(q * (n - 1)) of the n
 * values of all ages in ascending order. Positions begin at 0. Each q is between 0, for the lowest value,
 * and 1, for the highest (asserted). They are in ascending order. The results differ by at most
 * SKETCH_RELATIVE_ERROR. They are NAN if there are no values.
 */
void sketch_quantiles(const struct sketch *sketch, const double *quantiles, size_t count, double *values);

#endif
