#include "metrics/native.h"

#include "base/container.h"

#include <assert.h>
#include <float.h>
#include <math.h>
#include <string.h>

void native_init(struct native *native)
{
    *native = (struct native){.schema = NATIVE_SCHEMA};
}

/* Returns the bucket index of a value above zero in the finest schema. */
static int32_t fine_index(double value)
{
    /* Bounds from 0.5 up to 1: 2^(-8/8), 2^(-7/8), ... */
    static const double bounds[] = {
        0.5,
        0.54525386633262883,
        0.59460355750136053,
        0.64841977732550483,
        0.70710678118654752,
        0.77110541270397041,
        0.84089641525371454,
        0.91700404320467123,
    };
    int32_t per_power = (int32_t) ARRAY_LEN(bounds), part = 0;
    int exponent;
    if (isinf(value)) return DBL_MAX_EXP * per_power + 1;
    double fraction = frexp(value, &exponent);
    while (part < per_power && fraction > bounds[part]) part++;
    return (exponent - 1) * per_power + part;
}

/*
 * Returns the index in the next coarser schema. Rounds up, because a bucket includes its upper bound: -1 and
 * 0 become 0, 1 and 2 become 1.
 */
static int32_t coarser(int32_t index)
{
    return (index + 1) >> 1;
}

/* Joins neighbouring buckets in pairs and goes to the next coarser schema. */
static void coarsen(struct native *native)
{
    size_t kept = 0;
    for (size_t n = 0; n < native->count; n++) {
        struct native_bucket bucket = native->buckets[n];
        bucket.index = coarser(bucket.index);
        if (kept && native->buckets[kept - 1].index == bucket.index)
            native->buckets[kept - 1].count += bucket.count;
        else
            native->buckets[kept++] = bucket;
    }
    native->count = kept;
    native->schema--;
}

static int32_t index_of(const struct native *native, double value)
{
    int32_t index = fine_index(value);
    for (int schema = NATIVE_SCHEMA; schema > native->schema; schema--) index = coarser(index);
    return index;
}

/* Returns the position of the first bucket whose index is not below `index`. */
static size_t place_of(const struct native *native, int32_t index)
{
    size_t low = 0, high = native->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (native->buckets[middle].index < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/*
 * Finds the bucket of a value, or adds it. Returns NULL if it does not exist and there is no room to add it.
 */
static struct native_bucket *find_bucket(struct native *native, double value)
{
    int32_t index = index_of(native, value);
    size_t place = place_of(native, index);
    struct native_bucket *bucket = &native->buckets[place];
    if (place < native->count && bucket->index == index) return bucket;
    if (native->count == NATIVE_BUCKETS_MAX) return NULL;
    memmove(bucket + 1, bucket, (native->count - place) * sizeof(*bucket));
    *bucket = (struct native_bucket){.index = index};
    native->count++;
    return bucket;
}

void native_observe(struct native *native, double value)
{
    struct native_bucket *bucket;
    if (isnan(value)) return;
    if (value <= NATIVE_ZERO_THRESHOLD) {
        native->zero_count++;
        return;
    }
    while (!(bucket = find_bucket(native, value))) {
        assert(native->schema > NATIVE_SCHEMA_MIN);
        coarsen(native);
    }
    bucket->count++;
}
