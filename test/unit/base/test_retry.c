#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/retry.h"

#define CENTURY_MS (UINT64_C(100) * 365 * 86400 * 1000)

static void test_doubles_up_to_the_longest(void **state)
{
    static const uint64_t delays_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
    (void) state;
    for (unsigned i = 0; i < 7; i++) assert_int_equal(retry_delay_ms(1000, 30000, i + 1), delays_ms[i]);
    assert_int_equal(retry_delay_ms(1000, 30000, UINT32_MAX), 30000);
}

static void test_never_longer_than_the_longest(void **state)
{
    (void) state;
    assert_int_equal(retry_delay_ms(1000, 50, 1), 50);
    assert_int_equal(retry_delay_ms(1000, 1000, 1), 1000);
    assert_int_equal(retry_delay_ms(3600000, 3600000, 9), 3600000);
    assert_true(retry_delay_ms(1000, CENTURY_MS, UINT32_MAX) <= CENTURY_MS);
}

static void test_spread_to_both_sides(void **state)
{
    (void) state;
    assert_int_equal(retry_spread_ms(30000, 10, 10, 0), 27000);
    assert_in_range(retry_spread_ms(30000, 10, 10, UINT32_MAX / 2), 29999, 30000);
    assert_int_equal(retry_spread_ms(30000, 10, 10, UINT32_MAX), 33000);
    assert_int_equal(retry_spread_ms(1, 10, 10, UINT32_MAX), 1);
    assert_int_equal(retry_spread_ms(CENTURY_MS, 10, 10, 0), CENTURY_MS / 10 * 9);
    assert_int_equal(retry_spread_ms(CENTURY_MS, 10, 10, UINT32_MAX), CENTURY_MS / 10 * 11);
}

static void test_spread_to_one_side(void **state)
{
    (void) state;
    assert_int_equal(retry_spread_ms(1000, 0, 25, 0), 1000);
    assert_int_equal(retry_spread_ms(1000, 0, 25, UINT32_MAX), 1250);
    assert_int_equal(retry_spread_ms(4000, 0, 25, UINT32_MAX), 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_doubles_up_to_the_longest),
        cmocka_unit_test(test_never_longer_than_the_longest),
        cmocka_unit_test(test_spread_to_both_sides),
        cmocka_unit_test(test_spread_to_one_side),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
