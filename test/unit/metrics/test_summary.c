/* The window slides by the caller's time; count and sum do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/summary.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#define SHARE_S (SUMMARY_WINDOW_S / SKETCH_AGES)
#define START_S 5000 /* no multiple of a share: time begins anywhere */

static const double quantiles[] = {0, 0.5, 1};

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
    struct summary *summary = malloc(sizeof(*summary));
    if (!summary) return -1;
    *state = summary;
    return summary_init(summary, quantiles, ARRAY_LEN(quantiles), START_S, 1700000000.25);
}

static int teardown(void **state)
{
    summary_deinit(*state);
    free(*state);
    return 0;
}

static bool near(double given, double exact)
{
    return fabs(given - exact) <= SUMMARY_RELATIVE_ERROR * (1 + 1e-9) * exact;
}

static void expect_window(struct summary *summary, uint64_t now_s, double least, double greatest)
{
    struct summary_view view = summary_view(summary, now_s);
    if (!near(view.values[0], least) || !near(view.values[2], greatest)) {
        fail_msg("at %llu: %g to %g, not %g to %g", (unsigned long long) now_s, view.values[0],
                 view.values[2], least, greatest);
    }
}

static void expect_empty_window(struct summary *summary, uint64_t now_s)
{
    struct summary_view view = summary_view(summary, now_s);
    for (size_t i = 0; i < view.count; i++) assert_true(isnan(view.values[i]));
}

static void test_nothing_observed(void **state)
{
    struct summary_view view = summary_view(*state, START_S);
    assert_ptr_equal(view.quantiles, quantiles);
    assert_int_equal(view.count, ARRAY_LEN(quantiles));
    assert_int_equal(view.observations, 0);
    assert_true(view.sum == 0);
    assert_true(view.created == 1700000000.25);
    expect_empty_window(*state, START_S);
}

static void test_quantiles_of_all_ages(void **state)
{
    struct summary *summary = *state;
    for (unsigned i = 1; i <= 1001; i++)
        summary_observe(summary, i, START_S + i * (SUMMARY_WINDOW_S - 1) / 1001);
    struct summary_view view = summary_view(summary, START_S + SUMMARY_WINDOW_S - 1);
    assert_true(near(view.values[0], 1));
    assert_true(near(view.values[1], 501));
    assert_true(near(view.values[2], 1001));
    assert_int_equal(view.observations, 1001);
    assert_true(view.sum == 1001.0 * 1002 / 2);
}

/* Wherever in a share it was made: there for the window less one share, gone after the window. */
static void test_an_observation_leaves_the_window(void **state)
{
    (void) state;
    for (uint64_t offset = 0; offset <= 2 * SHARE_S; offset += 7) {
        struct summary summary;
        uint64_t then_s = START_S + offset;
        assert_int_equal(summary_init(&summary, quantiles, ARRAY_LEN(quantiles), START_S, 0), 0);
        summary_observe(&summary, 3, then_s);
        for (uint64_t age = 0; age <= SUMMARY_WINDOW_S - SHARE_S; age += 20) {
            expect_window(&summary, then_s + age, 3, 3);
        }
        expect_empty_window(&summary, then_s + SUMMARY_WINDOW_S);
        assert_int_equal(summary_view(&summary, then_s + SUMMARY_WINDOW_S).observations, 1);
        assert_true(summary_view(&summary, then_s + SUMMARY_WINDOW_S).sum == 3);
        summary_deinit(&summary);
    }
}

static void test_the_window_slides(void **state)
{
    struct summary *summary = *state;
    for (uint64_t share = 0; share < 40; share++) {
        uint64_t now_s = START_S + share * SHARE_S;
        summary_observe(summary, (double) share + 1, now_s);
        double oldest = share < SKETCH_AGES ? 1 : (double) (share - SKETCH_AGES + 2);
        expect_window(summary, now_s, oldest, (double) share + 1);
        expect_window(summary, now_s + SHARE_S - 1, oldest, (double) share + 1);
    }
    assert_int_equal(summary_view(summary, START_S + 40 * SHARE_S).observations, 40);
}

/* Asking turns the window no further than observing does. */
static void test_looking_changes_nothing(void **state)
{
    struct summary *summary = *state;
    summary_observe(summary, 1, START_S);
    for (uint64_t i = 0; i < SUMMARY_WINDOW_S; i++) expect_window(summary, START_S + i, 1, 1);
    for (uint64_t i = 0; i < 10; i++) expect_empty_window(summary, START_S + SUMMARY_WINDOW_S + i);
}

static void test_time_jumps(void **state)
{
    struct summary *summary = *state;
    uint64_t far_s = START_S + ((uint64_t) 1 << 50);
    summary_observe(summary, 1, START_S);
    summary_observe(summary, 2, START_S + SUMMARY_WINDOW_S * 3 + 17);
    expect_window(summary, START_S + SUMMARY_WINDOW_S * 3 + 17, 2, 2);
    expect_empty_window(summary, far_s);
    summary_observe(summary, 4, far_s);
    expect_window(summary, far_s + SUMMARY_WINDOW_S - SHARE_S, 4, 4);
    expect_empty_window(summary, UINT64_MAX);
    summary_observe(summary, 8, UINT64_MAX);
    expect_window(summary, UINT64_MAX, 8, 8);
    assert_int_equal(summary_view(summary, UINT64_MAX).observations, 4);
    assert_true(summary_view(summary, UINT64_MAX).sum == 15);
}

static void test_time_does_not_go_back(void **state)
{
    struct summary *summary = *state;
    summary_observe(summary, 1, START_S + SHARE_S);
    summary_observe(summary, 2, START_S);
    summary_observe(summary, 4, 0);
    expect_window(summary, 0, 1, 4);
    expect_window(summary, START_S + SUMMARY_WINDOW_S, 1, 4);
    expect_empty_window(summary, START_S + SHARE_S + SUMMARY_WINDOW_S);
}

static void test_what_is_not_observed(void **state)
{
    struct summary *summary = *state;
    summary_observe(summary, NAN, START_S);
    summary_observe(summary, INFINITY, START_S);
    summary_observe(summary, -INFINITY, START_S);
    summary_observe(summary, -1, START_S);
    summary_observe(summary, -5e-324, START_S);
    expect_empty_window(summary, START_S);
    assert_int_equal(summary_view(summary, START_S).observations, 0);
    assert_true(summary_view(summary, START_S).sum == 0);
}

static void test_zero_is_observed(void **state)
{
    struct summary *summary = *state;
    summary_observe(summary, 0, START_S);
    struct summary_view view = summary_view(summary, START_S);
    for (size_t i = 0; i < view.count; i++) assert_true(view.values[i] == 0);
    assert_int_equal(view.observations, 1);
}

static void test_without_quantiles(void **state)
{
    struct summary summary;
    (void) state;
    assert_int_equal(summary_init(&summary, NULL, 0, 0, 0), 0);
    summary_observe(&summary, 2.5, 0);
    assert_int_equal(summary_view(&summary, 1).count, 0);
    assert_true(summary_view(&summary, 1).sum == 2.5);
    summary_deinit(&summary);
}

static void test_no_memory(void **state)
{
    struct summary summary;
    (void) state;
    out_of_memory = true;
    int result = summary_init(&summary, quantiles, ARRAY_LEN(quantiles), START_S, 0);
    out_of_memory = false;
    assert_int_equal(result, -ENOMEM);
    summary_deinit(&summary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_quantiles_of_all_ages, setup, teardown),
        cmocka_unit_test(test_an_observation_leaves_the_window),
        cmocka_unit_test_setup_teardown(test_the_window_slides, setup, teardown),
        cmocka_unit_test_setup_teardown(test_looking_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_jumps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_time_does_not_go_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_not_observed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_is_observed, setup, teardown),
        cmocka_unit_test(test_without_quantiles),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
