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
    METRIC_NAMED_COUNTER, /* a gauge that users know as a counter; only OpenMetrics calls it a gauge */
    METRIC_UNKNOWN,
    METRIC_INFO, /* information in labels, with the value 1; the name ends in _info */
    /* One sample for each state, 0 or 1; the state is in a label with the family's name. */
    METRIC_STATE_SET,
    METRIC_HISTOGRAM,       /* observations since the start, in buckets */
    METRIC_SUMMARY,         /* quantiles of recent observations; count and sum since the start */
    METRIC_GAUGE_HISTOGRAM, /* a distribution at this moment, in buckets that may shrink */
    METRIC_TYPE_COUNT,
};

#define FAMILY_NAME_MAX 512

/* Static data. */
struct family {
    const char *name; /* name of the samples: including _total and _info, without _bucket, _sum, ... */
    const char *help; /* help text without newline and backslash */
    enum metric_type type;
    /*
     * Names of the samples' own labels, comma-separated; "" for none. Does not include `le` and `quantile`.
     */
    const char *labels;
};

/* A family without labels of its own. */
#define FAMILY(name, help, type) ((struct family){name, help, type, ""})

/*
 * Returns the unit in the family's name ("bytes", "seconds", "ratio", "bits"), or "". The unit is the last
 * word of the name, before _total. Info and state sets have no unit.
 */
const char *family_unit(const struct family *family);

/*
 * Checks one family: name, label names, help, and that the name of an info ends in _info. Returns NULL, or a
 * text that says what was expected.
 */
const char *family_check(const struct family *family);

/*
 * Appends every name under which samples of the family may be stored, each ended by NUL: x, or x_bucket,
 * x_count, ...
 */
void family_append_names(const struct family *family, struct buffer *names);

/* Returns true if the family has that name or samples of the family are stored under it. */
bool family_has_name(const struct family *family, struct slice name);

/* Returns true if the family has one of these names. The time does not depend on the number of names. */
bool family_has_name_in(const struct family *family, const struct set *names);

/*
 * Returns the family's name in OpenMetrics: without the _total of a counter or the _info of an info. Points
 * into the name.
 */
struct slice family_stem(const struct family *family);

#endif
