/* Observations land between the bounds that the schema gives, also when buckets had to be joined. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/native.h"

#include <float.h>
#include <math.h>

static uint64_t count_all(const struct native *native)
{
    uint64_t count = native->zero_count;
    for (size_t n = 0; n < native->count; n++) {
        if (n) assert_true(native->buckets[n - 1].index < native->buckets[n].index);
        assert_true(native->buckets[n].count > 0);
        count += native->buckets[n].count;
    }
    return count;
}

/* The bucket that one value alone falls into. */
static int32_t index_alone(double value)
{
    struct native native;
    native_init(&native);
    native_observe(&native, value);
    assert_int_equal(native.schema, NATIVE_SCHEMA);
    assert_int_equal(native.zero_count, 0);
    assert_int_equal(native.count, 1);
    assert_int_equal(native.buckets[0].count, 1);
    return native.buckets[0].index;
}

static void test_indices(void **state)
{
    (void) state;
    assert_int_equal(index_alone(1), 0);
    assert_int_equal(index_alone(nextafter(1, 2)), 1);
    assert_int_equal(index_alone(1.05), 1);
    assert_int_equal(index_alone(1.1), 2);
    assert_int_equal(index_alone(2), 8);
    assert_int_equal(index_alone(0.5), -8);
    assert_int_equal(index_alone(nextafter(0.5, 1)), -7);
    assert_int_equal(index_alone(0.25), -16);
    assert_int_equal(index_alone(nextafter(0.25, 0)), -16);
    assert_int_equal(index_alone(0.99), 0);
    assert_int_equal(index_alone(DBL_MAX), 8192);
    assert_int_equal(index_alone(INFINITY), 8193);
    assert_int_equal(index_alone(nextafter(NATIVE_ZERO_THRESHOLD, 1)), -1023);
}

/* Away from the very bounds, where logarithms may err. */
static void test_values_lie_within_their_bucket(void **state)
{
    (void) state;
    for (double value = 1e-9; value < 1e9; value *= 1.0371) {
        int32_t index = index_alone(value);
        assert_true(value > exp2((index - 1) / 8.0) * (1 - 1e-12));
        assert_true(value <= exp2(index / 8.0) * (1 + 1e-12));
    }
}

static void test_zero_and_below(void **state)
{
    struct native native;
    (void) state;
    native_init(&native);
    native_observe(&native, 0);
    native_observe(&native, -1);
    native_observe(&native, -INFINITY);
    native_observe(&native, NATIVE_ZERO_THRESHOLD);
    native_observe(&native, NAN);
    assert_int_equal(native.zero_count, 4);
    assert_int_equal(native.count, 0);
}

static void test_buckets_are_shared_and_sorted(void **state)
{
    static const double values[] = {4, 1, 2, 1, 0.25, 2, 1};
    struct native native;
    (void) state;
    native_init(&native);
    for (size_t n = 0; n < sizeof(values) / sizeof(*values); n++) native_observe(&native, values[n]);
    assert_int_equal(native.count, 4);
    assert_int_equal(native.buckets[0].index, -16);
    assert_int_equal(native.buckets[1].count, 3);
    assert_int_equal(native.buckets[2].count, 2);
    assert_int_equal(native.buckets[3].index, 16);
    assert_int_equal(count_all(&native), 7);
}

/* The middle of a bucket of the finest schema. */
static double middle(int32_t index)
{
    return exp2((index - 0.5) / 8);
}

/* 160 fit. The next one halves the schema: the same observations, two old buckets in each new one. */
static void test_schema_falls_when_there_are_too_many(void **state)
{
    struct native native;
    (void) state;
    native_init(&native);
    for (int32_t index = -79; index <= 80; index++) native_observe(&native, middle(index));
    assert_int_equal(native.schema, 3);
    assert_int_equal(native.count, NATIVE_BUCKETS_MAX);
    native_observe(&native, middle(0));
    assert_int_equal(native.schema, 3);
    native_observe(&native, middle(81));
    assert_int_equal(native.schema, 2);
    assert_int_equal(native.count, 81);
    assert_int_equal(count_all(&native), 162);
    for (size_t n = 0; n < native.count; n++) {
        int32_t index = (int32_t) n - 39;
        assert_int_equal(native.buckets[n].index, index);
        assert_int_equal(native.buckets[n].count, index == 41 ? 1 : index == 0 ? 3 : 2);
    }
    /* Later observations follow the coarser schema. */
    native_observe(&native, middle(1));
    assert_int_equal(native.buckets[40].index, 1);
    assert_int_equal(native.buckets[40].count, 3);
}

static void test_every_double_fits(void **state)
{
    struct native native;
    uint64_t observed = 1;
    (void) state;
    native_init(&native);
    for (double value = DBL_MAX; value > NATIVE_ZERO_THRESHOLD; value /= 1.7) {
        native_observe(&native, value);
        observed++;
    }
    native_observe(&native, INFINITY);
    assert_true(native.schema >= NATIVE_SCHEMA_MIN);
    assert_true(native.schema < 0);
    assert_int_equal(count_all(&native), observed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_indices),
        cmocka_unit_test(test_values_lie_within_their_bucket),
        cmocka_unit_test(test_zero_and_below),
        cmocka_unit_test(test_buckets_are_shared_and_sorted),
        cmocka_unit_test(test_schema_falls_when_there_are_too_many),
        cmocka_unit_test(test_every_double_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
