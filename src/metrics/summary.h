/*
 * Quantiles of the observations of the last minutes, with a bounded error. Pure: the caller gives the time.
 *
 * The relative error of a quantile is at most SUMMARY_RELATIVE_ERROR, for values in the range that sketch.h
 * names. The window consists of several sketches, one for each slice of time; the oldest is dropped as time
 * passes. So an observation counts for SUMMARY_WINDOW_S, or up to one slice less. Count and sum are since the
 * start, as Prometheus expects.
 *
 * A summary allocates all its memory, about 100 KB, when it is made, but touches only the pages that its
 * values need.
 */
#ifndef METRICS_SUMMARY_H
#define METRICS_SUMMARY_H

#include "metrics/sketch.h"

#include <stddef.h>
#include <stdint.h>

#define SUMMARY_RELATIVE_ERROR SKETCH_RELATIVE_ERROR
#define SUMMARY_WINDOW_S       600
#define SUMMARY_AGES           5
#define SUMMARY_QUANTILES_MAX  8

struct summary_view {
    const double *quantiles;              /* 0 to 1, ascending */
    double values[SUMMARY_QUANTILES_MAX]; /* NAN when nothing was observed in the window */
    size_t count;                         /* of quantiles */
    uint64_t observations;                /* since the start */
    double sum;
    double created; /* seconds since the unix epoch */
};

struct summary {
    const double *quantiles; /* borrowed */
    size_t count;
    struct sketch *ages; /* owned; SUMMARY_AGES of them, a ring whose newest is at `newest` */
    size_t newest;
    uint64_t turned_s; /* when the newest one began, in the caller's monotonic seconds */
    uint64_t observations;
    double sum, created;
};

/*
 * `quantiles` live as long as the summary: 0 to 1, ascending, at most SUMMARY_QUANTILES_MAX (asserted). 0 or
 * UV_ENOMEM; nothing is held then. now_s is monotonic, `created` in seconds since the unix epoch.
 */
int summary_init(struct summary *summary, const double *quantiles, size_t count, uint64_t now_s,
                 double created);

void summary_deinit(struct summary *summary);

/*
 * value >= 0, else it is not observed; NAN and infinity neither. A now_s that lies before an earlier one
 * counts as that one.
 */
void summary_observe(struct summary *summary, double value, uint64_t now_s);

/* Drops what has left the window by now_s. The view stands by itself, but for the borrowed quantiles. */
struct summary_view summary_view(struct summary *summary, uint64_t now_s);

#endif
