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

/* The bucket of a value above zero in the finest schema. */
static int32_t fine_index(double value)
{
    /* From a half to one: 2^(-8/8), 2^(-7/8), ... */
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

/* Rounds up, as buckets are closed above: of indices -1 and 0 comes 0, of 1 and 2 comes 1. */
static int32_t coarser(int32_t index)
{
    return (index + 1) >> 1;
}

/* Each two neighbours become one. */
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

/* The first bucket that is not below the index. */
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

/* The bucket of a value; NULL when it has none and there is no room for another. */
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
