#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/limiter.h"

#include <stdbool.h>

static struct limiter_ticket tickets[6];
static unsigned entered;

static void on_enter(struct limiter_ticket *ticket)
{
    (void) ticket;
    entered++;
}

static int setup(void **state)
{
    (void) state;
    entered = 0;
    for (size_t n = 0; n < 6; n++) limiter_ticket_init(&tickets[n]);
    return 0;
}

static void test_others_wait_in_line(void **state)
{
    struct limiter limiter;
    (void) state;
    limiter_init(&limiter, 2);
    for (size_t n = 0; n < 5; n++) limiter_enter(&limiter, &tickets[n], on_enter);
    assert_int_equal(entered, 2);
    limiter_leave(&limiter, &tickets[1]);
    assert_int_equal(entered, 3);
    assert_true(tickets[2].inside);
    assert_false(tickets[3].inside);
    limiter_leave(&limiter, &tickets[0]);
    limiter_leave(&limiter, &tickets[2]);
    assert_int_equal(entered, 5);
    limiter_leave(&limiter, &tickets[3]);
    limiter_leave(&limiter, &tickets[4]);
    assert_int_equal(limiter.inside, 0);
}

static void test_one_who_waits_may_leave(void **state)
{
    struct limiter limiter;
    (void) state;
    limiter_init(&limiter, 1);
    for (size_t n = 0; n < 3; n++) limiter_enter(&limiter, &tickets[n], on_enter);
    limiter_leave(&limiter, &tickets[1]);
    assert_int_equal(entered, 1);
    limiter_leave(&limiter, &tickets[0]);
    assert_false(tickets[1].inside);
    assert_true(tickets[2].inside);
}

static void test_leaving_twice_is_harmless(void **state)
{
    struct limiter limiter;
    (void) state;
    limiter_init(&limiter, 1);
    limiter_leave(&limiter, &tickets[0]);
    limiter_enter(&limiter, &tickets[0], on_enter);
    limiter_enter(&limiter, &tickets[1], on_enter);
    limiter_enter(&limiter, &tickets[2], on_enter);
    limiter_leave(&limiter, &tickets[0]);
    limiter_leave(&limiter, &tickets[0]);
    assert_int_equal(entered, 2);
    assert_int_equal(limiter.inside, 1);
}

/* Who failed last time has its turn when nobody else waits. */
static void test_those_that_failed_wait_behind_the_others(void **state)
{
    struct limiter limiter;
    (void) state;
    limiter_init(&limiter, 1);
    tickets[1].failed = tickets[2].failed = true;
    for (size_t n = 0; n < 5; n++) limiter_enter(&limiter, &tickets[n], on_enter);
    static const size_t order[] = {0, 3, 4, 1, 2};
    for (size_t n = 0; n < 5; n++) {
        assert_true(tickets[order[n]].inside);
        assert_int_equal(limiter.waiting, 4 - n);
        limiter_leave(&limiter, &tickets[order[n]]);
    }
    assert_int_equal(limiter.inside, 0);
}

/* However many never leave by themselves, all have been let in before a third of a second is over. */
static void test_time_of_a_place(void **state)
{
    static const unsigned limits[] = {1, 32, 256}, crowds[] = {0, 10, 900};
    (void) state;
    for (size_t a = 0; a < 3; a++) {
        for (size_t b = 0; b < 3; b++) {
            struct limiter limiter = {.limit = limits[a], .waiting = crowds[b]};
            unsigned hold_ms = limiter_hold_ms(&limiter), turns = crowds[b] / limits[a];
            assert_in_range(hold_ms, LIMITER_HOLD_MIN_MS, LIMITER_HOLD_MS);
            if (hold_ms > LIMITER_HOLD_MIN_MS) assert_true(turns * hold_ms <= LIMITER_TURN_MS);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_others_wait_in_line, setup),
        cmocka_unit_test_setup(test_one_who_waits_may_leave, setup),
        cmocka_unit_test_setup(test_leaving_twice_is_harmless, setup),
        cmocka_unit_test_setup(test_those_that_failed_wait_behind_the_others, setup),
        cmocka_unit_test_setup(test_time_of_a_place, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
