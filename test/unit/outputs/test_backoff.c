#include "outputs/backoff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_doubles_up_to_ten_intervals(void **state)
{
    (void) state;
    assert_int_equal(backoff_delay_ms(15000, 1, 0), 15000);
    assert_int_equal(backoff_delay_ms(15000, 2, 0), 30000);
    assert_int_equal(backoff_delay_ms(15000, 3, 0), 60000);
    assert_int_equal(backoff_delay_ms(15000, 4, 0), 120000);
    assert_int_equal(backoff_delay_ms(15000, 5, 0), 150000);
    assert_int_equal(backoff_delay_ms(15000, UINT32_MAX, 0), 150000);
}

static void test_never_above_five_minutes_nor_below_the_interval(void **state)
{
    (void) state;
    assert_int_equal(backoff_delay_ms(60000, 3, 0), 240000);
    assert_int_equal(backoff_delay_ms(60000, 4, 0), 300000);
    assert_int_equal(backoff_delay_ms(3600000, 1, 0), 3600000);
    assert_int_equal(backoff_delay_ms(3600000, 9, 0), 3600000);
}

static void test_jitter_adds_up_to_a_quarter(void **state)
{
    (void) state;
    assert_int_equal(backoff_delay_ms(1000, 1, UINT32_MAX / 2), 1124);
    assert_int_equal(backoff_delay_ms(1000, 1, UINT32_MAX), 1249);
    assert_int_equal(backoff_delay_ms(1000, 3, UINT32_MAX), 4999);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_ten_intervals),
        cmocka_unit_test(test_never_above_five_minutes_nor_below_the_interval),
        cmocka_unit_test(test_jitter_adds_up_to_a_quarter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
