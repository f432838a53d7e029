#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "loop.h"
#include "net/delay_queue.h"

#define DELAY_MS 20

struct waiter {
    struct delay_ticket ticket;
    unsigned calls;
    uint64_t called_ms;
};

static uv_loop_t loop;
static struct delay_queue queue;
static struct closing parts;
static struct waiter waiters[3];
static unsigned again, closed;

static void on_due(struct delay_ticket *ticket)
{
    struct waiter *waiter = container_of(ticket, struct waiter, ticket);
    assert_false(delay_ticket_waits(ticket));
    waiter->calls++;
    waiter->called_ms = uv_now(&loop);
    if (again) delay_queue_add(&queue, ticket);
    if (again) again--;
}

static int set_up(void **state)
{
    (void) state;
    again = closed = 0;
    parts = (struct closing){0};
    loop_open(&loop);
    delay_queue_init(&queue, &loop, DELAY_MS, on_due);
    closing_count(&parts);
    for (size_t i = 0; i < ARRAY_LEN(waiters); i++) {
        waiters[i] = (struct waiter){0};
        delay_ticket_init(&waiters[i].ticket);
    }
    return 0;
}

static void on_closed(void *context)
{
    ++*(unsigned *) context;
}

static int tear_down(void **state)
{
    (void) state;
    delay_queue_close(&queue, &parts);
    closing_begin(&parts, on_closed, &closed);
    assert_int_equal(closed, 0);
    loop_close(&loop);
    assert_int_equal(closed, 1);
    return 0;
}

static void test_each_after_its_time(void **state)
{
    (void) state;
    uv_update_time(&loop);
    uint64_t start = uv_now(&loop);
    delay_queue_add(&queue, &waiters[0].ticket);
    delay_queue_add(&queue, &waiters[1].ticket);
    loop_run_for(&loop, DELAY_MS / 2);
    bool waits = delay_ticket_waits(&waiters[0].ticket);
    delay_queue_add(&queue, &waiters[0].ticket);
    uint64_t later = uv_now(&loop);
    delay_queue_add(&queue, &waiters[2].ticket);
    loop_run_until_count(&loop, &waiters[2].calls, 1);
    assert_int_equal(waiters[0].calls, waits ? 1 : 2); /* the machine may have been busy for so long */
    assert_int_equal(waiters[1].calls, 1);
    assert_true(waiters[0].called_ms - start >= DELAY_MS);
    assert_true(waiters[2].called_ms - later >= DELAY_MS);
}

static void test_cancelled(void **state)
{
    (void) state;
    delay_queue_add(&queue, &waiters[0].ticket);
    delay_queue_add(&queue, &waiters[1].ticket);
    delay_ticket_cancel(&waiters[0].ticket);
    delay_ticket_cancel(&waiters[0].ticket);
    loop_run_until_count(&loop, &waiters[1].calls, 1);
    assert_int_equal(waiters[0].calls, 0);
}

static void test_added_by_its_callback(void **state)
{
    (void) state;
    again = 2;
    delay_queue_add(&queue, &waiters[0].ticket);
    loop_run_until_count(&loop, &waiters[0].calls, 3);
    loop_run_for(&loop, 2 * DELAY_MS);
    assert_int_equal(waiters[0].calls, 3);
    assert_false(uv_is_active((uv_handle_t *) &queue.timer));
}

static void test_closed_with_tickets(void **state)
{
    (void) state;
    delay_queue_add(&queue, &waiters[0].ticket);
    delay_queue_add(&queue, &waiters[1].ticket);
    tear_down(NULL);
    for (unsigned n = 0; n < 2; n++) {
        assert_int_equal(waiters[n].calls, 0);
        assert_false(delay_ticket_waits(&waiters[n].ticket));
    }
    set_up(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_each_after_its_time),
        TEST(test_cancelled),
        TEST(test_added_by_its_callback),
        TEST(test_closed_with_tickets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
