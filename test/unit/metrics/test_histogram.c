/* Observations land in the bucket that `le` promises, and examples stay beside theirs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/histogram.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const double bounds[] = {0.1, 1, 10};

/*
 * The linker puts this in the place of calloc (--wrap), so that a test can make it fail. Volatile, since the
 * optimiser takes calloc for a function that reads no variable of ours.
 */
static volatile bool out_of_memory;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return out_of_memory ? NULL : __real_calloc(count, size);
}

static int setup(void **state)
{
    struct histogram *histogram = malloc(sizeof(*histogram));
    if (!histogram) return -1;
    histogram_init(histogram, bounds, ARRAY_LEN(bounds), 1700000000.5);
    *state = histogram;
    return 0;
}

static int teardown(void **state)
{
    histogram_deinit(*state);
    free(*state);
    out_of_memory = false;
    return 0;
}

static void expect_counts(const struct histogram *histogram, const uint64_t expected[4])
{
    struct histogram_view view = histogram_view(histogram);
    assert_int_equal(view.count, ARRAY_LEN(bounds));
    for (size_t i = 0; i <= view.count; i++) assert_int_equal(view.counts[i], expected[i]);
}

static void test_nothing_observed(void **state)
{
    struct histogram_view view = histogram_view(*state);
    expect_counts(*state, (uint64_t[]){0, 0, 0, 0});
    assert_ptr_equal(view.bounds, bounds);
    assert_true(view.sum == 0);
    assert_true(view.created == 1700000000.5);
    assert_null(view.exemplars);
    assert_null(view.native);
}

static void test_bounds_are_inclusive(void **state)
{
    struct histogram *histogram = *state;
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) histogram_observe(histogram, bounds[i]);
    expect_counts(histogram, (uint64_t[]){1, 1, 1, 0});
    for (size_t i = 0; i < ARRAY_LEN(bounds); i++) histogram_observe(histogram, nextafter(bounds[i], 100));
    expect_counts(histogram, (uint64_t[]){1, 2, 2, 1});
}

static void test_below_and_above_all_bounds(void **state)
{
    struct histogram *histogram = *state;
    histogram_observe(histogram, -5);
    histogram_observe(histogram, 0);
    histogram_observe(histogram, 1000);
    expect_counts(histogram, (uint64_t[]){2, 0, 0, 1});
    assert_true(histogram_view(histogram).sum == 995);
}

static void test_infinities(void **state)
{
    struct histogram *histogram = *state;
    histogram_observe(histogram, INFINITY);
    expect_counts(histogram, (uint64_t[]){0, 0, 0, 1});
    assert_true(histogram_view(histogram).sum == (double) INFINITY);
    histogram_observe(histogram, -INFINITY);
    expect_counts(histogram, (uint64_t[]){1, 0, 0, 1});
    assert_true(isnan(histogram_view(histogram).sum));
}

static void test_nan_is_not_observed(void **state)
{
    struct histogram *histogram = *state;
    histogram_observe(histogram, NAN);
    histogram_observe_example(histogram, NAN, SLICE("a=\"1\""), 5);
    expect_counts(histogram, (uint64_t[]){0, 0, 0, 0});
    assert_true(histogram_view(histogram).sum == 0);
    assert_null(histogram_view(histogram).exemplars);
}

static void test_many_are_counted_exactly(void **state)
{
    struct histogram *histogram = *state;
    for (int i = 1; i <= 20000; i++) histogram_observe(histogram, i / 1024.0);
    expect_counts(histogram, (uint64_t[]){102, 1024 - 102, 10240 - 1024, 20000 - 10240});
    assert_true(histogram_view(histogram).sum == 20000.0 * 20001 / 2 / 1024);
}

/* As OpenMetrics wants it: what can fall is no counter. */
static void test_no_sum_with_negative_bounds(void **state)
{
    static const double negative[] = {-1, 0, 1};
    struct histogram histogram;
    (void) state;
    histogram_init(&histogram, negative, ARRAY_LEN(negative), 0);
    histogram_observe(&histogram, -1);
    histogram_observe(&histogram, 2);
    assert_int_equal(histogram_view(&histogram).counts[0], 1);
    assert_int_equal(histogram_view(&histogram).counts[3], 1);
    assert_true(isnan(histogram_view(&histogram).sum));
    histogram_deinit(&histogram);
}

/* What is counted in buckets of one kind is counted in those of the other. */
static void test_native_counts_the_same(void **state)
{
    struct histogram *histogram = *state;
    struct native native;
    histogram_set_native(histogram, &native);
    histogram_observe(histogram, 0);
    histogram_observe(histogram, 1);
    histogram_observe_example(histogram, 1, SLICE(""), 1);
    histogram_observe(histogram, NAN);
    histogram_observe(histogram, INFINITY);
    expect_counts(histogram, (uint64_t[]){1, 2, 0, 1});
    const struct native *seen = histogram_view(histogram).native;
    assert_ptr_equal(seen, &native);
    assert_int_equal(seen->schema, NATIVE_SCHEMA);
    assert_int_equal(seen->zero_count, 1);
    assert_int_equal(seen->count, 2);
    assert_int_equal(seen->buckets[0].count, 2);
    assert_int_equal(seen->buckets[1].count, 1);
}

static void test_without_bounds(void **state)
{
    struct histogram histogram;
    (void) state;
    histogram_init(&histogram, NULL, 0, 0);
    histogram_observe(&histogram, -3);
    histogram_observe_example(&histogram, 4, SLICE(""), 1);
    assert_int_equal(histogram_view(&histogram).counts[0], 2);
    assert_true(histogram_view(&histogram).sum == 1);
    assert_true(histogram_view(&histogram).exemplars[0].value == 4);
    histogram_deinit(&histogram);
}

static void test_as_many_bounds_as_there_may_be(void **state)
{
    double many[HISTOGRAM_BOUNDS_MAX];
    struct histogram histogram;
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(many); i++) many[i] = (double) i;
    histogram_init(&histogram, many, ARRAY_LEN(many), 0);
    for (size_t i = 0; i <= ARRAY_LEN(many); i++) {
        histogram_observe_example(&histogram, (double) i, SLICE(""), 1);
    }
    for (size_t i = 0; i <= ARRAY_LEN(many); i++) {
        assert_int_equal(histogram_view(&histogram).counts[i], 1);
        assert_true(histogram_view(&histogram).exemplars[i].value == (double) i);
    }
    histogram_deinit(&histogram);
}

static void expect_example(const struct exemplar *exemplar, double value, struct slice labels, double when)
{
    assert_true(exemplar->value == value);
    assert_true(exemplar->timestamp == when);
    assert_true(slice_equal((struct slice){exemplar->labels, exemplar->labels_len}, labels));
}

static void test_examples_stay_in_their_bucket(void **state)
{
    struct histogram *histogram = *state;
    histogram_observe_example(histogram, 0.1, SLICE("target=\"a\""), 100.5);
    histogram_observe_example(histogram, 50, SLICE("target=\"b\""), 101);
    histogram_observe(histogram, 5);
    const struct exemplar *exemplars = histogram_view(histogram).exemplars;
    expect_counts(histogram, (uint64_t[]){1, 0, 1, 1});
    expect_example(&exemplars[0], 0.1, SLICE("target=\"a\""), 100.5);
    expect_example(&exemplars[3], 50, SLICE("target=\"b\""), 101);
    assert_true(exemplars[1].timestamp == 0);
    assert_true(exemplars[2].timestamp == 0);
}

static void test_a_later_example_takes_the_place(void **state)
{
    struct histogram *histogram = *state;
    histogram_observe_example(histogram, 0.5, SLICE("target=\"long\""), 100);
    histogram_observe_example(histogram, 0.7, SLICE("t=\"x\""), 200);
    expect_example(&histogram_view(histogram).exemplars[1], 0.7, SLICE("t=\"x\""), 200);
    histogram_observe_example(histogram, 0.8, SLICE(""), 300);
    expect_example(&histogram_view(histogram).exemplars[1], 0.8, SLICE(""), 300);
}

static void test_labels_of_every_length(void **state)
{
    struct histogram *histogram = *state;
    char labels[EXEMPLAR_LABELS_MAX + 2];
    memset(labels, 'x', sizeof(labels));
    for (size_t len = 0; len <= sizeof(labels); len++) {
        struct slice slice = {labels, len}, kept = {labels, len <= EXEMPLAR_LABELS_MAX ? len : 0};
        histogram_observe_example(histogram, 0.5, slice, (double) len + 1);
        expect_example(&histogram_view(histogram).exemplars[1], 0.5, kept, (double) len + 1);
    }
    expect_counts(histogram, (uint64_t[]){0, sizeof(labels) + 1, 0, 0});
}

static void test_no_memory_for_examples(void **state)
{
    struct histogram *histogram = *state;
    out_of_memory = true;
    histogram_observe_example(histogram, 0.5, SLICE("a=\"1\""), 100);
    out_of_memory = false;
    expect_counts(histogram, (uint64_t[]){0, 1, 0, 0});
    assert_true(histogram_view(histogram).sum == 0.5);
    assert_null(histogram_view(histogram).exemplars);
    histogram_observe_example(histogram, 0.25, SLICE("a=\"2\""), 200);
    expect_example(&histogram_view(histogram).exemplars[1], 0.25, SLICE("a=\"2\""), 200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bounds_are_inclusive, setup, teardown),
        cmocka_unit_test_setup_teardown(test_below_and_above_all_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_infinities, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nan_is_not_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_are_counted_exactly, setup, teardown),
        cmocka_unit_test(test_no_sum_with_negative_bounds),
        cmocka_unit_test_setup_teardown(test_native_counts_the_same, setup, teardown),
        cmocka_unit_test(test_without_bounds),
        cmocka_unit_test(test_as_many_bounds_as_there_may_be),
        cmocka_unit_test_setup_teardown(test_examples_stay_in_their_bucket, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_later_example_takes_the_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_labels_of_every_length, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_examples, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
