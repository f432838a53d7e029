#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "loop.h"
#include "net/ration.h"

static bool closed;

static void on_close(struct ration *ration)
{
    (void) ration;
    closed = true;
}

static void close_ration(uv_loop_t *loop, struct ration *ration)
{
    closed = false;
    ration_close(ration, on_close);
    assert_false(closed);
    loop_run_until(loop, &closed);
    loop_close(loop);
}

static void test_each_turn_has_its_own(void **unused)
{
    struct ration ration;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    ration_init(&ration, &loop, 10000 + RATION_READ_COST);
    for (unsigned turn = 0; turn < 3; turn++) {
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, 9999);
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, 1);
        assert_true(ration_is_spent(&ration));
        loop_turn(&loop, 1);
    }
    close_ration(&loop, &ration);
}

/* The ends of ten thousand connections have no bytes, and yet are work. */
static void test_ends_are_not_free(void **unused)
{
    struct ration ration;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    ration_init(&ration, &loop, 10 * RATION_READ_COST);
    for (unsigned n = 0; n < 10; n++) {
        assert_false(ration_is_spent(&ration));
        ration_take(&ration, UV_EOF);
    }
    assert_true(ration_is_spent(&ration));
    close_ration(&loop, &ration);
}

static unsigned turns_had;

static void on_ticket(struct ration_ticket *ticket)
{
    (void) ticket;
    turns_had++;
}

/* Not all in one turn, and those who have left not at all. */
static void test_some_have_their_turn(void **unused)
{
    static struct ration_ticket tickets[100];
    struct ration ration;
    uv_loop_t loop;
    (void) unused;
    loop_open(&loop);
    ration_init(&ration, &loop, 1);
    turns_had = 0;
    for (unsigned n = 0; n < 100; n++) {
        ration_ticket_init(&tickets[n]);
        ration_leave(&tickets[n]);
        ration_wait(&ration, &tickets[n], on_ticket);
    }
    ration_leave(&tickets[0]);
    ration_leave(&tickets[99]);
    assert_int_equal(turns_had, 0);
    loop_turn(&loop, 1);
    assert_in_range(turns_had, 1, 97);
    loop_turn(&loop, 100);
    assert_int_equal(turns_had, 98);
    close_ration(&loop, &ration);
}

static void test_no_bound(void **unused)
{
    struct ration ration = {0};
    (void) unused;
    ration_take(&ration, 1 << 30);
    assert_false(ration_is_spent(&ration));
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
