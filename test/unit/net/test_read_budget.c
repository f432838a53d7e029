#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"
#include "net/read_budget.h"

static bool closed;

static void on_close(struct read_budget *budget)
{
    (void) budget;
    closed = true;
}

static void close_budget(uv_loop_t *loop, struct read_budget *budget)
{
    closed = false;
    read_budget_close(budget, on_close);
    assert_false(closed);
    loop_run_until(loop, &closed);
    loop_close(loop);
}

static void test_each_turn_has_its_own(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 10000 + READ_BUDGET_READ_COST);
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_false(read_budget_is_spent(&budget));
        read_budget_take(&budget, 9999);
        assert_false(read_budget_is_spent(&budget));
        read_budget_take(&budget, 1);
        assert_true(read_budget_is_spent(&budget));
        loop_turn(&loop, 1);
    }
    close_budget(&loop, &budget);
}

/* The ends of ten thousand connections have no bytes, and yet are work. */
static void test_ends_are_not_free(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 10 * READ_BUDGET_READ_COST);
    for (unsigned n = 0; n < 10; n++) {
        assert_false(read_budget_is_spent(&budget));
        read_budget_take(&budget, UV_EOF);
    }
    assert_true(read_budget_is_spent(&budget));
    close_budget(&loop, &budget);
}

static unsigned loop_lag_had;

static void on_ticket(struct read_budget_ticket *ticket)
{
    (void) ticket;
    loop_lag_had++;
}

/* Not all in one turn, and those who have left not at all. */
static void test_some_have_their_turn(void **unused)
{
    static struct read_budget_ticket tickets[100];
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 1);
    loop_lag_had = 0;
    for (unsigned n = 0; n < 100; n++) {
        read_budget_ticket_init(&tickets[n]);
        read_budget_leave(&tickets[n]);
        read_budget_wait(&budget, &tickets[n], on_ticket);
    }
    read_budget_leave(&tickets[0]);
    read_budget_leave(&tickets[99]);
    assert_int_equal(loop_lag_had, 0);
    loop_turn(&loop, 1);
    assert_in_range(loop_lag_had, 1, 97);
    loop_turn(&loop, 100);
    assert_int_equal(loop_lag_had, 98);
    close_budget(&loop, &budget);
}

static void test_no_bound(void **unused)
{
    struct read_budget budget = {0};
    (void) unused;
    read_budget_take(&budget, 1 << 30);
    assert_false(read_budget_is_spent(&budget));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_turn_has_its_own),
        cmocka_unit_test(test_ends_are_not_free),
        cmocka_unit_test(test_some_have_their_turn),
        cmocka_unit_test(test_no_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
