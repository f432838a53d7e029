/*
 * Metric families: the name, type, unit and help text that samples share.
 *
 * Facts: https://prometheus.io/docs/concepts/data_model/, OpenMetrics 1.0.0 "Metric Types" and "Units".
 */
#ifndef METRICS_FAMILY_H
#define METRICS_FAMILY_H

#include "base/buffer.h"
#include "base/set.h"
#include "base/slice.h"

#include <stdbool.h>

enum metric_type {
    METRIC_COUNTER,
    METRIC_GAUGE,
    METRIC_NAMED_COUNTER, /* a gauge that users know as a counter: OpenMetrics alone says gauge */
    METRIC_UNKNOWN,
    METRIC_INFO,            /* the labels are the message, the value is 1; the name ends in _info */
    METRIC_STATE_SET,       /* one sample for each state, its label named as the family, 0 or 1 */
    METRIC_HISTOGRAM,       /* observations since the start, in buckets */
    METRIC_SUMMARY,         /* quantiles of late observations, with count and sum since the start */
    METRIC_GAUGE_HISTOGRAM, /* a distribution as it is now, in buckets that may shrink */
    METRIC_TYPE_COUNT,
};

#define FAMILY_NAME_MAX 512

/* Static data. */
struct family {
    const char *name; /* of its samples, whole: with _total, _info; without _bucket, _sum, ... */
    const char *help; /* no newline, no backslash */
    enum metric_type type;
    const char *labels; /* names of its samples' own labels, comma-separated; "" for none. le and quantile are
                           not named */
};

/* A literal of a family without labels of its own. */
#define FAMILY(name, help, type) ((struct family){name, help, type, ""})

/*
 * The unit that its name carries ("bytes", "seconds", "ratio", "bits"), or "": the last word of the name,
 * without _total. Info and state sets have none.
 */
const char *family_unit(const struct family *family);

/*
 * Checks one family by itself: name, label names, help, and that the name of an info ends in _info. NULL, or
 * what was expected.
 */
const char *family_check(const struct family *family);

/* Appends every name under which samples of the family are stored, each ended by NUL: x, or x_bucket,
 * x_count, ... */
void family_append_names(const struct family *family, struct buffer *names);

/* Whether samples of the family are stored under that name, or the family is called so. */
bool family_has_name(const struct family *family, struct slice name);

/* Whether it has one of these names; takes the same time however many there are. */
bool family_has_name_in(const struct family *family, const struct set *names);

/*
 * What OpenMetrics calls the family: its name without the _total of a counter or the _info of an info. Points
 * into the name.
 */
struct slice family_stem(const struct family *family);

#endif
