#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/rate_limit.h"

#define SECOND 1000000000ull

static unsigned passing(struct rate_limit *limit, uint64_t now_ns, unsigned tries)
{
    unsigned passed = 0;
    for (unsigned n = 0; n < tries; n++) passed += rate_limit_take(limit, now_ns);
    return passed;
}

static void test_a_bucket(void **state)
{
    struct rate_limit limit;
    (void) state;
    rate_limit_init(&limit, SECOND, 3, 100);
    assert_int_equal(passing(&limit, 100, 10), 3); /* full at first */
    assert_int_equal(passing(&limit, 99 + SECOND, 10), 0);
    assert_int_equal(passing(&limit, 100 + SECOND, 10), 1);
    assert_int_equal(passing(&limit, 100 + SECOND * 7 / 2, 10), 2);
    assert_int_equal(passing(&limit, 100 + SECOND * 4, 10), 1); /* the half that was left, and another one */
    assert_int_equal(passing(&limit, 100 + SECOND * 1000, 10), 3);
}

static void test_an_empty_bucket_lets_nothing_pass(void **state)
{
    struct rate_limit limit;
    (void) state;
    rate_limit_init(&limit, 1, 0, 0);
    assert_int_equal(passing(&limit, SECOND, 10), 0);
}

static void test_numbers_that_are_too_large(void **state)
{
    struct rate_limit limit;
    (void) state;
    rate_limit_init(&limit, SECOND, UINT64_MAX, 0);
    assert_int_equal(passing(&limit, 0, 1000), 1000);
    assert_int_equal(passing(&limit, UINT64_MAX, 1000), 1000);
    rate_limit_init(&limit, UINT64_MAX, 1, 0);
    assert_true(passing(&limit, 0, 10) <= 1);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_bucket),
        cmocka_unit_test(test_an_empty_bucket_lets_nothing_pass),
        cmocka_unit_test(test_numbers_that_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
