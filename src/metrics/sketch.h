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
 * The memory is sizeof(struct sketch), 28 KB, for any number of values.
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

struct sketch {
    uint64_t zeros;
    size_t first, end; /* bins outside first..end-1 are 0; first == end: all bins are 0 */
    uint64_t bins[SKETCH_BINS];
};

/* Initialises an empty sketch. A sketch owns no other memory. */
void sketch_init(struct sketch *sketch);

/* Counts a value, which must be at least 0 and finite (asserted). */
void sketch_observe(struct sketch *sketch, double value);

/* Empties a sketch. The time depends on the number of bins in use. */
void sketch_clear(struct sketch *sketch);

/* Adds all values of `from`. The result is the same as observing the values of both sketches. */
void sketch_merge(struct sketch *sketch, const struct sketch *from);

/*
 * Returns the value at position floor(q * (count - 1)) of all values in ascending order. Positions begin at
 * 0. q must be between 0, for the lowest value, and 1, for the highest (asserted). The result differs by at
 * most SKETCH_RELATIVE_ERROR. Returns NAN if nothing was observed.
 */
double sketch_quantile(const struct sketch *sketch, double q);

#endif
