#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/gate.h"

#include <stdbool.h>

static struct gate_ticket tickets[6];
static unsigned entered;

static void on_enter(struct gate_ticket *ticket)
{
    (void) ticket;
    entered++;
}

static int setup(void **state)
{
    (void) state;
    entered = 0;
    for (size_t n = 0; n < 6; n++) gate_ticket_init(&tickets[n]);
    return 0;
}

static void test_others_wait_in_line(void **state)
{
    struct gate gate;
    (void) state;
    gate_init(&gate, 2);
    for (size_t n = 0; n < 5; n++) gate_enter(&gate, &tickets[n], on_enter);
    assert_int_equal(entered, 2);
    gate_leave(&gate, &tickets[1]);
    assert_int_equal(entered, 3);
    assert_true(tickets[2].inside);
    assert_false(tickets[3].inside);
    gate_leave(&gate, &tickets[0]);
    gate_leave(&gate, &tickets[2]);
    assert_int_equal(entered, 5);
    gate_leave(&gate, &tickets[3]);
    gate_leave(&gate, &tickets[4]);
    assert_int_equal(gate.inside, 0);
}

static void test_one_who_waits_may_leave(void **state)
{
    struct gate gate;
    (void) state;
    gate_init(&gate, 1);
    for (size_t n = 0; n < 3; n++) gate_enter(&gate, &tickets[n], on_enter);
    gate_leave(&gate, &tickets[1]);
    assert_int_equal(entered, 1);
    gate_leave(&gate, &tickets[0]);
    assert_false(tickets[1].inside);
    assert_true(tickets[2].inside);
}

static void test_leaving_twice_is_harmless(void **state)
{
    struct gate gate;
    (void) state;
    gate_init(&gate, 1);
    gate_leave(&gate, &tickets[0]);
    gate_enter(&gate, &tickets[0], on_enter);
    gate_enter(&gate, &tickets[1], on_enter);
    gate_enter(&gate, &tickets[2], on_enter);
    gate_leave(&gate, &tickets[0]);
    gate_leave(&gate, &tickets[0]);
    assert_int_equal(entered, 2);
    assert_int_equal(gate.inside, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_others_wait_in_line, setup),
        cmocka_unit_test_setup(test_one_who_waits_may_leave, setup),
        cmocka_unit_test_setup(test_leaving_twice_is_harmless, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
