/* The stated error bound, held against exact quantiles of known distributions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/sketch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUES 20000

/* Room for the rounding where a value lies just on a bin's bound. */
#define BOUND (SKETCH_RELATIVE_ERROR * (1 + 1e-9))

static const double quantiles[] = {0, 0.001, 0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999, 1};

/* The same numbers in every run: xorshift64*, over 0 < x < 1. */
static uint64_t random_state;

static double uniform(void)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return ((double) ((random_state * 2685821657736338717u) >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(2 * acos(-1.0) * uniform());
}

/* The i-th value of each distribution. */

static double draw_uniform(size_t i)
{
    (void) i;
    return 100 * uniform();
}

static double draw_exponential(size_t i)
{
    (void) i;
    return -0.02 * log(uniform());
}

/* So heavy a tail that it has no mean. */
static double draw_pareto(size_t i)
{
    (void) i;
    return 0.001 * pow(uniform(), -1 / 0.9);
}

static double draw_lognormal(size_t i)
{
    (void) i;
    return exp(-5 + 2 * normal());
}

static double draw_normal(size_t i)
{
    (void) i;
    return fabs(1000 + 10 * normal());
}

static double draw_constant(size_t i)
{
    (void) i;
    return 0.0421;
}

/* 90 % fast answers, the rest time-outs, nothing between. */
static double draw_bimodal(size_t i)
{
    (void) i;
    return uniform() < 0.9 ? 0.001 + 0.0001 * uniform() : 1 + 0.01 * uniform();
}

static double draw_mostly_zero(size_t i)
{
    (void) i;
    return uniform() < 0.7 ? 0 : 5 * uniform();
}

static double draw_ascending(size_t i)
{
    return (double) i + 1;
}

static double draw_descending(size_t i)
{
    return 1e6 - (double) i * 49;
}

/* All the range, evenly by order of magnitude. */
static double draw_whole_range(size_t i)
{
    (void) i;
    return SKETCH_LOWEST * pow(SKETCH_HIGHEST / SKETCH_LOWEST, uniform());
}

static const struct distribution {
    const char *name;
    double (*draw)(size_t i);
} distributions[] = {
    {"uniform", draw_uniform},       {"exponential", draw_exponential}, {"pareto", draw_pareto},
    {"lognormal", draw_lognormal},   {"normal", draw_normal},           {"constant", draw_constant},
    {"bimodal", draw_bimodal},       {"mostly zero", draw_mostly_zero}, {"ascending", draw_ascending},
    {"descending", draw_descending}, {"whole range", draw_whole_range},
};

static int compare(const void *a, const void *b)
{
    double x = *(const double *) a, y = *(const double *) b;
    return (x > y) - (x < y);
}

static struct sketch *sketch_new(void)
{
    struct sketch *sketch = malloc(sizeof(*sketch));
    assert_non_null(sketch);
    memset(sketch, 0xaa, sizeof(*sketch));
    sketch_init(sketch);
    return sketch;
}

/* Sorts the values on the way. */
static void expect_quantiles(const char *name, const struct sketch *sketch, double *values, size_t count)
{
    qsort(values, count, sizeof(*values), compare);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        double exact = values[(size_t) floor(quantiles[i] * (double) (count - 1))];
        double given = sketch_quantile(sketch, quantiles[i]);
        if (!(fabs(given - exact) <= BOUND * exact)) {
            fail_msg("%s, %zu values, quantile %g: %.17g is too far from %.17g", name, count, quantiles[i],
                     given, exact);
        }
    }
}

static void test_error_bound(void **unused)
{
    static const size_t counts[] = {1, 2, 3, 10, 1000, VALUES};
    double *values = malloc(VALUES * sizeof(*values));
    (void) unused;
    assert_non_null(values);
    random_state = 1;
    for (size_t i = 0; i < ARRAY_LEN(distributions); i++) {
        for (size_t j = 0; j < ARRAY_LEN(counts); j++) {
            struct sketch *sketch = sketch_new();
            for (size_t k = 0; k < counts[j]; k++) {
                values[k] = distributions[i].draw(k);
                sketch_observe(sketch, values[k]);
            }
            expect_quantiles(distributions[i].name, sketch, values, counts[j]);
            free(sketch);
        }
    }
    free(values);
}

/* Merging the parts is the same as one sketch of the whole, bin by bin. */
static void test_merge(void **unused)
{
    struct sketch *whole = sketch_new(), *merged = sketch_new(), *parts[3], *empty = sketch_new();
    (void) unused;
    random_state = 2;
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) parts[i] = sketch_new();
    for (size_t i = 0; i < VALUES; i++) {
        /* The parts' ranges are apart, so that the merged range grows at both ends. */
        size_t part = i % 3;
        double value = i % 50 == 0 ? 0 : (1 + uniform()) * pow(1000, (double) ((part + 1) % 3));
        sketch_observe(whole, value);
        sketch_observe(parts[part], value);
    }
    sketch_merge(merged, empty);
    assert_true(isnan(sketch_quantile(merged, 0.5)));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) sketch_merge(merged, parts[i]);
    sketch_merge(merged, empty);
    assert_memory_equal(merged, whole, sizeof(*whole));
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) free(parts[i]);
    free(whole);
    free(merged);
    free(empty);
}

static void test_nothing_observed(void **unused)
{
    struct sketch *sketch = sketch_new();
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        assert_true(isnan(sketch_quantile(sketch, quantiles[i])));
    }
    free(sketch);
}

static void test_cleared_is_as_new(void **unused)
{
    struct sketch *sketch = sketch_new(), *fresh = sketch_new();
    (void) unused;
    random_state = 3;
    for (size_t i = 0; i < 1000; i++) sketch_observe(sketch, draw_whole_range(i));
    sketch_observe(sketch, 0);
    sketch_clear(sketch);
    assert_memory_equal(sketch, fresh, sizeof(*sketch));
    sketch_observe(sketch, 7);
    assert_true(fabs(sketch_quantile(sketch, 0) - 7) <= 7 * BOUND);
    assert_true(fabs(sketch_quantile(sketch, 1) - 7) <= 7 * BOUND);
    free(sketch);
    free(fresh);
}

static double only_value(double value)
{
    struct sketch *sketch = sketch_new();
    sketch_observe(sketch, value);
    double given = sketch_quantile(sketch, 0.5);
    free(sketch);
    return given;
}

/* The ends of the range hold the bound; what lies outside counts as they say. */
static void test_ends_of_the_range(void **unused)
{
    (void) unused;
    assert_true(fabs(only_value(SKETCH_LOWEST) - SKETCH_LOWEST) <= BOUND * SKETCH_LOWEST);
    assert_true(fabs(only_value(SKETCH_HIGHEST) - SKETCH_HIGHEST) <= BOUND * SKETCH_HIGHEST);
    assert_true(fabs(only_value(SKETCH_HIGHEST * 0.999) - SKETCH_HIGHEST * 0.999) <= BOUND * SKETCH_HIGHEST);
    assert_true(only_value(0) == 0);
    assert_true(only_value(-0.0) == 0);
    assert_true(only_value(nextafter(SKETCH_LOWEST, 0)) == 0);
    assert_true(only_value(5e-324) == 0);
    assert_true(fabs(only_value(1.7e308) - SKETCH_HIGHEST) <= BOUND * SKETCH_HIGHEST);
    /* Not a bin too many: every one of them can be reached. */
    assert_true(only_value(SKETCH_HIGHEST * 0.97) < only_value(SKETCH_HIGHEST));
}

/* Steps far finer than a bin, over some decades: no value falls between two bins. */
static void test_every_place_in_a_bin(void **unused)
{
    double before = 0;
    (void) unused;
    for (double value = 1e-4; value < 1e-1; value *= 1.0007) {
        double given = only_value(value);
        if (!(fabs(given - value) <= BOUND * value)) fail_msg("%.17g is too far from %.17g", given, value);
        assert_true(given >= before);
        before = given;
    }
}

/* However many values there are, the memory is that of the struct, and the counts do not wrap. */
static void test_memory_is_bounded(void **unused)
{
    struct sketch *sketch = sketch_new(), *sum = sketch_new();
    (void) unused;
    assert_true(sizeof(*sketch) <= 28 * 1024);
    random_state = 4;
    for (size_t i = 0; i < 500000; i++) sketch_observe(sketch, draw_whole_range(i));
    assert_true(sketch->first < sketch->end && sketch->end <= SKETCH_BINS);
    double median = sketch_quantile(sketch, 0.5);
    for (int i = 0; i < 40; i++) {
        *sum = *sketch;
        sketch_merge(sketch, sum);
    }
    /* 500000 * 2^40 values: more than a double counts exactly. */
    assert_true(sketch_quantile(sketch, 0) > 0);
    assert_true(sketch_quantile(sketch, 1) <= SKETCH_HIGHEST);
    assert_true(fabs(sketch_quantile(sketch, 0.5) - median) <= 0.05 * median);
    free(sketch);
    free(sum);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_bound),       cmocka_unit_test(test_merge),
        cmocka_unit_test(test_nothing_observed),  cmocka_unit_test(test_cleared_is_as_new),
        cmocka_unit_test(test_ends_of_the_range), cmocka_unit_test(test_every_place_in_a_bin),
        cmocka_unit_test(test_memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
