#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"
#include "net/read_budget.h"

static bool closed;
static struct read_budget_ticket reader;

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
    read_budget_ticket_init(&reader);
    loop_open(&loop);
    read_budget_init(&budget, &loop, 10000 + READ_BUDGET_READ_COST);
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_false(read_budget_is_spent(&budget, &reader));
        read_budget_take(&budget, &reader, 9999);
        assert_false(read_budget_is_spent(&budget, &reader));
        read_budget_take(&budget, &reader, 1);
        assert_true(read_budget_is_spent(&budget, &reader));
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
    read_budget_ticket_init(&reader);
    loop_open(&loop);
    read_budget_init(&budget, &loop, 10 * READ_BUDGET_READ_COST);
    for (unsigned n = 0; n < 10; n++) {
        assert_false(read_budget_is_spent(&budget, &reader));
        read_budget_take(&budget, &reader, UV_EOF);
    }
    assert_true(read_budget_is_spent(&budget, &reader));
    close_budget(&loop, &budget);
}

static unsigned served;

static void on_ticket(struct read_budget_ticket *ticket)
{
    (void) ticket;
    served++;
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
    served = 0;
    for (unsigned n = 0; n < 100; n++) {
        read_budget_ticket_init(&tickets[n]);
        read_budget_leave(&tickets[n]);
        read_budget_wait(&budget, &tickets[n], on_ticket);
    }
    read_budget_leave(&tickets[0]);
    read_budget_leave(&tickets[99]);
    assert_int_equal(served, 0);
    loop_turn(&loop, 1);
    assert_in_range(served, 1, 97);
    loop_turn(&loop, 100);
    assert_int_equal(served, 98);
    close_budget(&loop, &budget);
}

/* Reads as much as it may; the loop then finds it in line. */
static void read_share(struct read_budget *budget, struct read_budget_ticket *ticket, read_budget_fn on_turn)
{
    assert_false(read_budget_is_spent(budget, ticket));
    read_budget_take(budget, ticket, READ_BUDGET_SHARE);
    assert_true(read_budget_is_spent(budget, ticket));
    read_budget_wait(budget, ticket, on_turn);
}

static struct read_budget_ticket floods[100], quiet[50];
static struct read_budget *shared;
static unsigned flooded, turns_of_quiet;

static void on_flood(struct read_budget_ticket *ticket)
{
    flooded++;
    read_share(shared, ticket, on_flood);
}

/* Has little to read, and waits for more. */
static void on_quiet(struct read_budget_ticket *ticket)
{
    turns_of_quiet++;
    read_budget_take(shared, ticket, 1000);
    assert_false(read_budget_is_spent(shared, ticket));
}

/* Readers without end wait behind those that have read little, and have what is left of each turn. */
static void test_the_quiet_are_served_first(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 100 * 1024 * 1024);
    shared = &budget;
    flooded = turns_of_quiet = 0;
    for (unsigned n = 0; n < 100; n++) {
        read_budget_ticket_init(&floods[n]);
        read_share(&budget, &floods[n], on_flood);
    }
    for (unsigned n = 0; n < 50; n++) {
        read_budget_ticket_init(&quiet[n]);
        read_budget_wait(&budget, &quiet[n], on_quiet);
    }
    loop_turn(&loop, 1);
    assert_int_equal(turns_of_quiet, 50);
    assert_in_range(flooded, 1, 10);
    loop_turn(&loop, 20);
    assert_true(flooded >= 100);
    for (unsigned n = 0; n < 100; n++) {
        assert_true(floods[n].shares >= 2);
        read_budget_leave(&floods[n]);
    }
    close_budget(&loop, &budget);
}

/* What had many shares begins as one of the quiet again, when its owner says so. */
static void test_a_share_is_renewed(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 100 * 1024 * 1024);
    shared = &budget;
    read_budget_ticket_init(&reader);
    read_share(&budget, &reader, on_flood);
    loop_turn(&loop, 20);
    assert_int_equal(reader.shares, READ_BUDGET_LINES);
    read_budget_leave(&reader);
    read_budget_ticket_renew(&reader);
    assert_int_equal(reader.shares, 0);
    assert_false(read_budget_is_spent(&budget, &reader));
    close_budget(&loop, &budget);
}

/* Those who are refused stay, but not without end, and not before those who queue. */
static void test_those_who_stay(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 1);
    served = 0;
    for (unsigned turn = 0; turn < 3; turn++) {
        for (unsigned n = 0; n < READ_BUDGET_STAYS; n++) {
            read_budget_ticket_init(&reader);
            assert_true(read_budget_refuse(&budget, &reader));
            assert_true(reader.refused);
        }
        assert_false(read_budget_refuse(&budget, &reader));
        assert_true(reader.refused);
        read_budget_take(&budget, &reader, 1);
        assert_false(reader.refused);
        loop_turn(&loop, 1);
    }
    for (unsigned n = 0; n < READ_BUDGET_STAYS; n++) assert_true(read_budget_refuse(&budget, &reader));
    read_budget_wait(&budget, &reader, on_ticket);
    loop_turn(&loop, 1);
    assert_int_equal(served, 0); /* behind those who stayed */
    assert_false(read_budget_refuse(&budget, &quiet[0]));
    loop_turn(&loop, 1);
    assert_int_equal(served, 1);
    close_budget(&loop, &budget);
}

/* Who has read a share, or is in a later one, queues behind the others. */
static void test_the_loud_do_not_stay(void **unused)
{
    struct read_budget budget;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    read_budget_init(&budget, &loop, 1);
    read_budget_ticket_init(&reader);
    read_budget_take(&budget, &reader, READ_BUDGET_SHARE);
    assert_false(read_budget_refuse(&budget, &reader));
    read_budget_wait(&budget, &reader, on_ticket);
    loop_turn(&loop, 1);
    assert_int_equal(reader.left, READ_BUDGET_SHARE);
    assert_false(read_budget_refuse(&budget, &reader));
    read_budget_ticket_renew(&reader);
    assert_true(read_budget_refuse(&budget, &reader));
    close_budget(&loop, &budget);
}

static void test_no_bound(void **unused)
{
    struct read_budget budget = {0};
    (void) unused;
    read_budget_ticket_init(&reader);
    read_budget_take(&budget, &reader, 1 << 30);
    assert_false(read_budget_is_spent(&budget, &reader));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_turn_has_its_own), cmocka_unit_test(test_ends_are_not_free),
        cmocka_unit_test(test_some_have_their_turn),  cmocka_unit_test(test_the_quiet_are_served_first),
        cmocka_unit_test(test_a_share_is_renewed),    cmocka_unit_test(test_no_bound),
        cmocka_unit_test(test_those_who_stay),        cmocka_unit_test(test_the_loud_do_not_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
