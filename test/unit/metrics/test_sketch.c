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
    struct sketch *sketch = calloc(1, sizeof(*sketch));
    assert_non_null(sketch);
    return sketch;
}

static double quantile(const struct sketch *sketch, double q)
{
    double value;
    sketch_quantiles(sketch, &q, 1, &value);
    return value;
}

/* Sorts the values on the way. */
static void expect_quantiles(const char *name, const struct sketch *sketch, double *values, size_t count)
{
    double given[ARRAY_LEN(quantiles)];
    qsort(values, count, sizeof(*values), compare);
    sketch_quantiles(sketch, quantiles, ARRAY_LEN(quantiles), given);
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        double exact = values[(size_t) floor(quantiles[i] * (double) (count - 1))];
        if (!(fabs(given[i] - exact) <= BOUND * exact)) {
            fail_msg("%s, %zu values, quantile %g: %.17g is too far from %.17g", name, count, quantiles[i],
                     given[i], exact);
        }
        assert_true(quantile(sketch, quantiles[i]) == given[i]);
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
                sketch_observe(sketch, k % SKETCH_AGES, values[k]);
            }
            expect_quantiles(distributions[i].name, sketch, values, counts[j]);
            free(sketch);
        }
    }
    free(values);
}

/* Values count equally whatever their age, also where the ranges of the ages are apart. */
static void test_ages_count_equally(void **unused)
{
    struct sketch *one = sketch_new(), *all = sketch_new();
    double of_one[ARRAY_LEN(quantiles)], of_all[ARRAY_LEN(quantiles)];
    (void) unused;
    random_state = 2;
    for (size_t i = 0; i < VALUES; i++) {
        size_t age = i % 3;
        double value = i % 50 == 0 ? 0 : (1 + uniform()) * pow(1000, (double) ((age + 1) % 3));
        sketch_observe(one, 4, value);
        sketch_observe(all, age, value);
    }
    sketch_quantiles(one, quantiles, ARRAY_LEN(quantiles), of_one);
    sketch_quantiles(all, quantiles, ARRAY_LEN(quantiles), of_all);
    assert_memory_equal(of_one, of_all, sizeof(of_one));
    free(one);
    free(all);
}

static void test_nothing_observed(void **unused)
{
    struct sketch *sketch = sketch_new();
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(quantiles); i++) {
        assert_true(isnan(quantile(sketch, quantiles[i])));
    }
    free(sketch);
}

/* And only that age. */
static void test_cleared_is_as_new(void **unused)
{
    struct sketch *sketch = sketch_new(), *fresh = sketch_new();
    (void) unused;
    random_state = 3;
    for (size_t i = 0; i < 1000; i++) sketch_observe(sketch, i % 2, draw_whole_range(i));
    sketch_observe(sketch, 0, 0);
    sketch_observe(sketch, 2, 7);
    sketch_observe(fresh, 2, 7);
    sketch_clear(sketch, 0);
    sketch_clear(sketch, 1);
    assert_memory_equal(sketch, fresh, sizeof(*sketch));
    assert_true(fabs(quantile(sketch, 0) - 7) <= 7 * BOUND);
    assert_true(fabs(quantile(sketch, 1) - 7) <= 7 * BOUND);
    free(sketch);
    free(fresh);
}

static double only_value(double value)
{
    struct sketch *sketch = sketch_new();
    sketch_observe(sketch, 0, value);
    double given = quantile(sketch, 0.5);
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
    struct sketch *sketch = sketch_new();
    (void) unused;
    assert_true(sizeof(*sketch) <= 140 * 1024);
    random_state = 4;
    for (size_t i = 0; i < 500000; i++) sketch_observe(sketch, i % SKETCH_AGES, draw_whole_range(i));
    for (size_t age = 0; age < SKETCH_AGES; age++)
        assert_true(sketch->ages[age].first < sketch->ages[age].end && sketch->ages[age].end <= SKETCH_BINS);
    double median = quantile(sketch, 0.5);
    /* 500000 * 2^40 values: more than a double counts exactly. */
    for (size_t bin = 0; bin < SKETCH_BINS; bin++) {
        for (size_t age = 0; age < SKETCH_AGES; age++) sketch->bins[bin][age] <<= 40;
    }
    assert_true(quantile(sketch, 0) > 0);
    assert_true(quantile(sketch, 1) <= SKETCH_HIGHEST);
    assert_true(fabs(quantile(sketch, 0.5) - median) <= 0.05 * median);
    free(sketch);
}

/* What lies in a narrow range, as the answers of a fleet do, is on few pages, however old it is. */
static void test_few_pages_are_used(void **unused)
{
    struct sketch *sketch = sketch_new();
    size_t used = 0;
    (void) unused;
    random_state = 5;
    for (size_t i = 0; i < VALUES; i++) sketch_observe(sketch, i % SKETCH_AGES, 0.001 * (1 + uniform()));
    for (size_t at = 0; at + 4096 <= sizeof(*sketch); at += 4096) {
        const char *page = (const char *) sketch + at;
        used += page[0] != 0 || memcmp(page, page + 1, 4095) != 0;
    }
    assert_in_range(used, 1, 4);
    free(sketch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_bound),       cmocka_unit_test(test_ages_count_equally),
        cmocka_unit_test(test_nothing_observed),  cmocka_unit_test(test_cleared_is_as_new),
        cmocka_unit_test(test_ends_of_the_range), cmocka_unit_test(test_every_place_in_a_bin),
        cmocka_unit_test(test_memory_is_bounded), cmocka_unit_test(test_few_pages_are_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
