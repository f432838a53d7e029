/*
 * Prometheus' native histogram. Its buckets grow exponentially, and only buckets with observations exist.
 * Pure; allocates nothing.
 *
 * With schema s, bucket i counts values above 2^((i - 1) / 2^s) and up to 2^(i / 2^s). A histogram begins
 * with eight buckets for each power of two. When it needs too many buckets, neighbours are joined in pairs,
 * and s falls by one. Facts: https://prometheus.io/docs/specs/native_histograms/.
 */
#ifndef METRICS_NATIVE_H
#define METRICS_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define NATIVE_SCHEMA         3
#define NATIVE_SCHEMA_MIN     (-4) /* with this schema, about 130 buckets cover all doubles */
#define NATIVE_BUCKETS_MAX    160
#define NATIVE_ZERO_THRESHOLD 0x1p-128

struct native_bucket {
    int32_t index;
    uint64_t count;
};

struct native {
    int schema;
    uint64_t zero_count;                              /* number of values not above NATIVE_ZERO_THRESHOLD */
    struct native_bucket buckets[NATIVE_BUCKETS_MAX]; /* sorted by index; none is empty */
    size_t count;                                     /* number of buckets in use */
};

void native_init(struct native *native);

/*
 * Counts a value that cannot be negative, such as a size or a duration. A negative value counts as zero.
 * Ignores NAN. Infinity counts in the bucket after that of the largest number.
 */
void native_observe(struct native *native, double value);

#endif
