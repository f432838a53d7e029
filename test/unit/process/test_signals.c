/* The first signal asks, the second one ends the process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/signals.h"

#include "loop.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static uv_loop_t loop;
static struct signals signals;
static bool asked;

static void on_stop(void *context)
{
    assert_ptr_equal(context, &loop);
    assert_false(asked);
    asked = true;
}

static void start_signals(void)
{
    asked = false;
    loop_open(&loop);
    assert_int_equal(signals_start(&signals, &loop, on_stop, &loop), 0);
}

static void test_each_signal_asks_to_stop(void **state)
{
    (void) state;
    static const int numbers[] = {SIGTERM, SIGINT};
    for (int n = 0; n < 2; n++) {
        start_signals();
        raise(numbers[n]);
        loop_run_until(&loop, &asked);
        signals_close(&signals);
        signals_close(&signals);
        loop_close(&loop);
    }
}

/* In a process of its own, that never gets ready to stop. */
static void test_a_second_signal_ends_the_process(void **state)
{
    (void) state;
    static const int numbers[] = {SIGTERM, SIGINT};
    for (int n = 0; n < 2; n++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            alarm(60);
            start_signals();
            raise(SIGINT);
            while (!asked) uv_run(&loop, UV_RUN_NOWAIT);
            raise(numbers[n]);
            for (;;) uv_run(&loop, UV_RUN_ONCE);
        }
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 128 + numbers[n]);
    }
}

/* In a process of its own, whose thread never ends. */
static void wait_for_ever(uv_work_t *work)
{
    (void) work;
    for (;;) pause();
}

static void test_a_thread_that_hangs(void **state)
{
    (void) state;
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        uv_work_t work;
        alarm(60);
        start_signals();
        signals.patience_ms = 100;
        uv_queue_work(&loop, &work, wait_for_ever, NULL);
        raise(SIGTERM);
        uv_run(&loop, UV_RUN_DEFAULT);
        _exit(1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 128 + SIGTERM);
}

static void test_ignored_signals(void **state)
{
    (void) state;
    signals_ignore();
    raise(SIGHUP);
    raise(SIGPIPE);
    raise(SIGXFSZ);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_signal_asks_to_stop),
        cmocka_unit_test(test_a_second_signal_ends_the_process),
        cmocka_unit_test(test_a_thread_that_hangs),
        cmocka_unit_test(test_ignored_signals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
