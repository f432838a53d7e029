/* Who may work in a turn of the loop, who waits, and in which order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/work_budget.h"

#include "base/clock.h"
#include "base/container.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>

#define WORKERS 6

struct worker {
    struct work_budget_ticket ticket;
    char name;
};

static uv_loop_t loop;
static struct work_budget budget;
static struct worker workers[WORKERS];
static char worked[32]; /* their names, in order */
static uint64_t lasts_ns;

static void work(void)
{
    uint64_t end_ns = thread_time_ns() + lasts_ns;
    while (thread_time_ns() < end_ns) continue;
}

static void on_turn(struct work_budget_ticket *ticket)
{
    struct worker *worker = container_of(ticket, struct worker, ticket);
    strncat(worked, &worker->name, 1);
    work();
}

static void ask(unsigned n, bool first)
{
    work_budget_wait(&budget, &workers[n].ticket, first, on_turn);
}

static int start(void **state)
{
    (void) state;
    loop_open(&loop);
    work_budget_init(&budget, &loop, 1000000);
    for (unsigned n = 0; n < WORKERS; n++) {
        workers[n].name = (char) ('a' + n);
        work_budget_ticket_init(&workers[n].ticket);
    }
    worked[0] = '\0';
    lasts_ns = 0;
    return 0;
}

static int stop(void **state)
{
    (void) state;
    work_budget_close(&budget, NULL);
    loop_turn(&loop, 1);
    loop_close(&loop);
    return 0;
}

static bool try_to_work(void)
{
    if (!work_budget_begin(&budget)) return false;
    work();
    work_budget_end(&budget);
    return true;
}

/* The next turn of the loop has its own budget. */
static void test_a_spent_budget(void **state)
{
    (void) state;
    for (unsigned n = 0; n < 3; n++) {
        lasts_ns = 600000;
        assert_true(try_to_work());
        assert_true(try_to_work());
        assert_false(try_to_work());
        loop_run_for(&loop, 2);
    }
}

/* Half a budget each: two in a turn, and nobody overtakes. */
static void test_who_waits(void **state)
{
    (void) state;
    lasts_ns = 600000;
    for (unsigned n = 0; n < 5; n++) ask(n, false);
    assert_false(try_to_work());
    loop_turn(&loop, 1);
    assert_string_equal(worked, "ab");
    ask(5, true);
    assert_false(try_to_work());
    loop_turn(&loop, 1);
    assert_string_equal(worked, "abfc");
    work_budget_leave(&workers[3].ticket);
    work_budget_leave(&workers[3].ticket);
    loop_turn(&loop, 1);
    assert_string_equal(worked, "abfce");
    loop_run_for(&loop, 2);
    assert_true(try_to_work());
}

/*
 * Work that takes longer than the budget is done all the same, one in a turn; the loop does not sleep
 * between.
 */
static void test_long_work(void **state)
{
    (void) state;
    lasts_ns = 1500000;
    for (unsigned n = 0; n < 3; n++) ask(n, false);
    for (unsigned n = 1; n <= 3; n++) {
        uv_run(&loop, UV_RUN_ONCE);
        assert_int_equal(strlen(worked), n);
    }
    assert_false(uv_loop_alive(&loop));
}

static void on_nested(struct work_budget_ticket *ticket)
{
    assert_true(try_to_work());
    assert_true(try_to_work());
    on_turn(ticket);
}

/* Work inside work never waits, and all of it counts once. */
static void test_work_inside_work(void **state)
{
    (void) state;
    lasts_ns = 600000;
    for (unsigned n = 0; n < 3; n++) work_budget_do(&budget, &workers[n].ticket, false, on_nested);
    assert_string_equal(worked, "a");
    loop_turn(&loop, 1);
    assert_string_equal(worked, "ab");
    loop_turn(&loop, 1);
    assert_string_equal(worked, "abc");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_a_spent_budget), TEST(test_who_waits), TEST(test_long_work),
                                       TEST(test_work_inside_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
