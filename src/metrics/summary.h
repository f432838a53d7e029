/*
 * A summary: quantiles of the observations of the last minutes, with a bounded error. Pure: the caller gives
 * the time.
 *
 * The relative error of a quantile is at most SUMMARY_RELATIVE_ERROR, for values in the range of sketch.h.
 * The window consists of several slices of time, which are the ages of a sketch. As time passes, the oldest
 * is dropped. So an observation counts for SUMMARY_WINDOW_S, or up to one slice less. Count and sum are since
 * the start, as Prometheus expects.
 *
 * summary_init allocates all memory, about 140 KB. The summary only uses the pages that its values need.
 */
#ifndef METRICS_SUMMARY_H
#define METRICS_SUMMARY_H

#include "metrics/sketch.h"

#include <stddef.h>
#include <stdint.h>

#define SUMMARY_RELATIVE_ERROR SKETCH_RELATIVE_ERROR
#define SUMMARY_WINDOW_S       600
#define SUMMARY_QUANTILES_MAX  8

struct summary_view {
    const double *quantiles;              /* 0 to 1, ascending */
    double values[SUMMARY_QUANTILES_MAX]; /* NAN if nothing was observed in the window */
    size_t count;                         /* number of quantiles */
    uint64_t observations;                /* number of observations since the start */
    double sum;
    double created; /* seconds since the unix epoch */
};

struct summary {
    const double *quantiles; /* borrowed */
    size_t count;
    struct sketch *sketch; /* owned; its ages are a ring, the newest at `newest` */
    size_t newest;
    uint64_t turned_s; /* when the newest age began, in the caller's monotonic seconds */
    uint64_t observations;
    double sum, created;
};

/*
 * Initialises a summary. `quantiles` must stay valid as long as the summary. They are between 0 and 1,
 * ascending, and there are at most SUMMARY_QUANTILES_MAX (asserted). `now_s` is monotonic. `created` is in
 * seconds since the unix epoch. Returns 0 or UV_ENOMEM. After UV_ENOMEM there is nothing to free.
 */
int summary_init(struct summary *summary, const double *quantiles, size_t count, uint64_t now_s,
                 double created);

void summary_deinit(struct summary *summary);

/*
 * Counts a value. Ignores negative values, NAN and infinity. A `now_s` before an earlier one counts as the
 * earlier one.
 */
void summary_observe(struct summary *summary, double value, uint64_t now_s);

/*
 * Drops observations that have left the window by `now_s`, and returns the current values. The view only
 * borrows the quantiles.
 */
struct summary_view summary_view(struct summary *summary, uint64_t now_s);

#endif
