/*
 * Quantiles of many values in bounded memory, with a bounded error. Pure; knows no time.
 *
 * The sketch is DDSketch (Masson, Rim, Lee: "DDSketch: a fast and fully-mergeable quantile sketch with
 * relative-error guarantees", VLDB 2019) with linear interpolation. Each power of two is divided into
 * SKETCH_PARTS bins of equal width, so that the middle of a bin is never farther than SKETCH_RELATIVE_ERROR
 * from any value in it, relative to that value. That takes half as many bins again as bounds that grow by a
 * constant factor, and no logarithm: libm would be half a megabyte of the process. Where the paper bounds the
 * number of bins by joining the lowest ones, which costs them their accuracy, here the range of values is
 * bounded, and within it the error bound holds always.
 *
 * The memory is sizeof(struct sketch), 28 KB, however many values are counted.
 */
#ifndef METRICS_SKETCH_H
#define METRICS_SKETCH_H

#include <stddef.h>
#include <stdint.h>

#define SKETCH_RELATIVE_ERROR 0.01
#define SKETCH_LOWEST         0x1p-30 /* 0.93e-9; what lies below counts as 0 */
#define SKETCH_HIGHEST        0x1p40  /* 1.1e12; what lies above counts as this */

#define SKETCH_PARTS 50 /* 1 / (2 * error) */
#define SKETCH_BINS  (70 * SKETCH_PARTS)

struct sketch {
    uint64_t zeros;
    size_t first, end; /* the bins outside first..end-1 are 0; first == end: all are */
    uint64_t bins[SKETCH_BINS];
};

/* Takes any memory; nothing has to be released. */
void sketch_init(struct sketch *sketch);

/* value is at least 0 and finite (asserted). */
void sketch_observe(struct sketch *sketch, double value);

/* Empties a sketch that was initialised; the work is that of the bins in use. */
void sketch_clear(struct sketch *sketch);

/* Adds all of `from`; the result is what observing both sets of values would have made. */
void sketch_merge(struct sketch *sketch, const struct sketch *from);

/*
 * The value that stands at place floor(q * (count - 1)), from 0, of the values in ascending order: the least
 * for 0, the greatest for 1 (q within these is asserted). At most SKETCH_RELATIVE_ERROR away from it. NAN
 * when nothing was observed.
 */
double sketch_quantile(const struct sketch *sketch, double q);

#endif
