/*
 * Prometheus' native histogram: buckets grow exponentially, and only buckets with observations exist. Pure;
 * allocates nothing.
 *
 * With schema s, bucket i holds what is above 2^((i - 1) / 2^s) and at most 2^(i / 2^s). A histogram begins
 * with eight buckets for each power of two. When the values need too many buckets, pairs of neighbours are
 * joined and s falls by one. Facts: https://prometheus.io/docs/specs/native_histograms/.
 */
#ifndef METRICS_NATIVE_H
#define METRICS_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#define NATIVE_SCHEMA         3
#define NATIVE_SCHEMA_MIN     (-4) /* all doubles fit in some 130 buckets then */
#define NATIVE_BUCKETS_MAX    160
#define NATIVE_ZERO_THRESHOLD 0x1p-128

struct native_bucket {
    int32_t index;
    uint64_t count;
};

struct native {
    int schema;
    uint64_t zero_count;                              /* of what is not above NATIVE_ZERO_THRESHOLD */
    struct native_bucket buckets[NATIVE_BUCKETS_MAX]; /* ascending; none is empty */
    size_t count;                                     /* of buckets */
};

void native_init(struct native *native);

/*
 * For what cannot be negative, as sizes and durations: what is below zero all the same counts as zero. NAN is
 * not observed. Infinity falls into the bucket behind that of the largest number.
 */
void native_observe(struct native *native, double value);

#endif
