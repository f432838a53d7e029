/* What is learnt of how long answers take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collectors/answer_pace.h"

#define MIB (1024 * 1024)

static void test_guesses(void **state)
{
    struct answer_pace pace = {0};
    (void) state;
    assert_int_equal(answer_pace_expected_ns(&pace, false, 1000), 0);
    assert_true(answer_pace_bytes(&pace, false, 1000000000) > MIB);
    assert_true(answer_pace_bytes(&pace, true, 1000000000) < answer_pace_bytes(&pace, false, 1000000000));
    assert_int_equal(answer_pace_bytes(&pace, false, 0), 0);
}

/* Slower counts at once, faster bit by bit; each kind by itself. */
static void test_learns(void **state)
{
    struct answer_pace pace = {0};
    struct answer_took took = {.bytes = MIB, .fill_ns = 100 * MIB, .total_ns = 200 * MIB};
    (void) state;
    answer_pace_observe(&pace, &took);
    assert_int_equal(answer_pace_ns(&pace, false, 10), 2000);
    assert_int_equal(answer_pace_bytes(&pace, false, 2000), 10);
    took.total_ns = 100 * MIB;
    answer_pace_observe(&pace, &took);
    assert_int_equal(answer_pace_ns(&pace, false, 10), 1750);
    answer_pace_observe_gather(&pace, 5000, 10);
    assert_int_equal(answer_pace_expected_ns(&pace, false, 3), 1500 * 175);
    took.packed = true;
    answer_pace_observe(&pace, &took);
    assert_int_equal(answer_pace_ns(&pace, true, 10), 1000);
    assert_int_equal(answer_pace_ns(&pace, false, 10), 1750);
    answer_pace_observe_gather(&pace, 0, 0);
    assert_true(answer_pace_expected_ns(&pace, false, 3) > 0);
}

/* One who takes an hour to read his answer does not cost the others theirs. */
static void test_slow_client(void **state)
{
    struct answer_pace pace = {0};
    struct answer_took took = {.bytes = MIB, .fill_ns = 10 * MIB, .total_ns = UINT64_C(3600000000000)};
    (void) state;
    answer_pace_observe(&pace, &took);
    assert_int_equal(answer_pace_ns(&pace, false, 1), 30);
}

static void test_small_answers_tell_nothing(void **state)
{
    struct answer_pace pace = {0};
    struct answer_took took = {.bytes = 1000, .fill_ns = 1000000000, .total_ns = 1000000000};
    (void) state;
    answer_pace_observe(&pace, &took);
    assert_true(pace.ns_per_byte[0] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guesses),
        cmocka_unit_test(test_learns),
        cmocka_unit_test(test_slow_client),
        cmocka_unit_test(test_small_answers_tell_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
