#include "loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* Far more time than any test needs, except on a busy machine. */
#define LONGEST_MS 60000

#define REPEAT_MS 10

static void on_timer(uv_timer_t *timer)
{
    *(bool *) timer->data = true;
}

static void on_timer_closed(uv_handle_t *handle)
{
    *(bool *) handle->data = true;
}

/*
 * Runs turns until *done, *count >= n, or `ms` have passed. Returns false if the time ran out. The timer is
 * closed before the return.
 *
 * The timer repeats, because a turn runs due timers before it waits for events. A timer that fires only once
 * could fire there, and the wait would never end.
 */
static bool run(uv_loop_t *loop, const bool *done, const unsigned *count, unsigned n, unsigned ms)
{
    uv_timer_t timer;
    bool over = false, closed = false;
    uv_timer_init(loop, &timer);
    timer.data = &over;
    uv_update_time(loop);
    uv_timer_start(&timer, on_timer, ms, REPEAT_MS);
    while (!over && !(done && *done) && !(count && *count >= n)) uv_run(loop, UV_RUN_ONCE);
    timer.data = &closed;
    uv_close((uv_handle_t *) &timer, on_timer_closed);
    while (!closed) uv_run(loop, UV_RUN_NOWAIT);
    return !over;
}

void loop_open(uv_loop_t *loop)
{
    assert_int_equal(uv_loop_init(loop), 0);
}

void loop_run_until(uv_loop_t *loop, const bool *done)
{
    assert_true(run(loop, done, NULL, 0, LONGEST_MS));
}

void loop_run_until_count(uv_loop_t *loop, const unsigned *count, unsigned n)
{
    assert_true(run(loop, NULL, count, n, LONGEST_MS));
}

void loop_turn(uv_loop_t *loop, unsigned turns)
{
    while (turns--) uv_run(loop, UV_RUN_NOWAIT);
}

void loop_run_for(uv_loop_t *loop, unsigned ms)
{
    run(loop, NULL, NULL, 0, ms);
}

void loop_close(uv_loop_t *loop)
{
    for (unsigned turn = 0; uv_loop_alive(loop) && turn < 1000; turn++) uv_run(loop, UV_RUN_ONCE);
    assert_int_equal(uv_loop_close(loop), 0);
}
