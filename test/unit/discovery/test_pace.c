#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discovery/pace.h"

static void test_a_tenth_to_both_sides(void **state)
{
    (void) state;
    assert_int_equal(pace_delay_ms(30000, 0, 0), 27000);
    assert_int_equal(pace_delay_ms(30000, 0, UINT32_MAX / 2), 29999);
    assert_int_equal(pace_delay_ms(30000, 0, UINT32_MAX), 33000);
    assert_int_equal(pace_delay_ms(1, 0, UINT32_MAX), 1);
}

static void test_failures_are_asked_about_sooner(void **state)
{
    static const uint64_t longest_ms[] = {1100, 2200, 4400, 8800, 17600, 33000, 33000};
    (void) state;
    for (unsigned i = 0; i < 7; i++) assert_int_equal(pace_delay_ms(30000, i + 1, UINT32_MAX), longest_ms[i]);
    assert_int_equal(pace_delay_ms(30000, UINT32_MAX, 0), 27000);
}

static void test_never_later_than_the_interval(void **state)
{
    (void) state;
    assert_int_equal(pace_delay_ms(50, 1, UINT32_MAX), 55);
    assert_int_equal(pace_delay_ms(1000, 1, UINT32_MAX), 1100);
}

/* A hundred years, which is the longest duration that can be configured. */
static void test_long_intervals(void **state)
{
    uint64_t century_ms = UINT64_C(100) * 365 * 86400 * 1000;
    (void) state;
    assert_int_equal(pace_delay_ms(century_ms, 0, 0), century_ms / 10 * 9);
    assert_int_equal(pace_delay_ms(century_ms, 0, UINT32_MAX), century_ms / 10 * 11);
    assert_true(pace_delay_ms(century_ms, 100, UINT32_MAX) <= century_ms / 10 * 11);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tenth_to_both_sides),
        cmocka_unit_test(test_failures_are_asked_about_sooner),
        cmocka_unit_test(test_never_later_than_the_interval),
        cmocka_unit_test(test_long_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
