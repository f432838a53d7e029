/* libuv is not refused what it cannot do without. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/reserve.h"

#include <stdbool.h>
#include <stdlib.h>

/* Counted down; 0 for none. */
static unsigned failing_call, failing_thread;
static bool all_fail; /* of the calls from the failing one on */

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
int __real_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *context);
int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *context);

static bool fails(unsigned *countdown)
{
    if (*countdown == 0 || --*countdown > 0) return false;
    if (all_fail) *countdown = 1;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return fails(&failing_call) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(&failing_call) ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *memory, size_t size)
{
    return fails(&failing_call) ? NULL : __real_realloc(memory, size);
}

int __wrap_uv_thread_create(uv_thread_t *thread, uv_thread_cb run, void *context)
{
    return fails(&failing_thread) ? UV_EAGAIN : __real_uv_thread_create(thread, run, context);
}

/* Each allocation in its turn: a loop with its table of descriptors is made all the same. */
static void test_one_refusal(void **state)
{
    unsigned call = 0;
    bool failed;
    (void) state;
    do {
        uv_loop_t loop;
        uv_work_t request;
        assert_int_equal(reserve_open(), 0);
        failing_call = ++call;
        assert_int_equal(uv_loop_init(&loop), 0);
        reserve_start_threads(&loop, &request);
        assert_int_equal(uv_run(&loop, UV_RUN_DEFAULT), 0);
        failed = failing_call == 0;
        failing_call = 0;
        assert_int_equal(uv_loop_close(&loop), 0);
        reserve_close();
    } while (failed);
    assert_true(call > 1);
}

/* What was released is set aside again, for the next time. */
static void test_two_refusals(void **state)
{
    uv_loop_t first, second;
    (void) state;
    assert_int_equal(reserve_open(), 0);
    failing_call = 1;
    assert_int_equal(uv_loop_init(&first), 0);
    assert_int_equal(failing_call, 0);
    failing_call = 1;
    assert_int_equal(uv_loop_init(&second), 0);
    assert_int_equal(failing_call, 0);
    assert_int_equal(uv_loop_close(&first), 0);
    assert_int_equal(uv_loop_close(&second), 0);
    reserve_close();
    reserve_close();
}

static void test_no_memory_to_set_aside(void **state)
{
    (void) state;
    all_fail = true;
    failing_call = 1;
    assert_int_equal(reserve_open(), UV_ENOMEM);
    failing_call = 0;
    all_fail = false;
    reserve_close();
}

static void test_no_threads(void **state)
{
    (void) state;
    for (unsigned n = 1; n <= 4; n++) {
        failing_thread = n;
        assert_int_equal(reserve_open(), UV_EAGAIN);
        assert_int_equal(failing_thread, 0);
        reserve_close();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_refusal),
        cmocka_unit_test(test_two_refusals),
        cmocka_unit_test(test_no_memory_to_set_aside),
        cmocka_unit_test(test_no_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
