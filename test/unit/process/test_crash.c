/* What a crash says, and how the process ends. Each happens in a process of its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/crash.h"

#include "base/version.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char report[64 * 1024];

/* Not the handlers of a sanitizer, and no core file. */
static void prepare(int descriptor)
{
    static const int numbers[] = {SIGABRT, SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGSYS};
    static const struct rlimit none;
    for (size_t n = 0; n < sizeof(numbers) / sizeof(numbers[0]); n++) signal(numbers[n], SIG_DFL);
    setrlimit(RLIMIT_CORE, &none);
    dup2(descriptor, STDERR_FILENO);
    alarm(60);
    crash_report();
}

/* Runs `crash` in a process of its own; its report is in `report`. Returns how the process ended. */
static int crash_in_child(void (*crash)(void))
{
    int ends[2], status;
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        prepare(ends[1]);
        crash();
        _exit(0);
    }
    close(ends[1]);
    size_t len = 0;
    ssize_t n;
    while ((n = read(ends[0], report + len, sizeof(report) - 1 - len)) > 0) len += (size_t) n;
    report[len] = '\0';
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static unsigned count_lines(void)
{
    unsigned lines = 0;
    for (const char *at = report; (at = strchr(at, '\n')); at++) lines++;
    return lines;
}

static void expect_report(int status, int number, const char *first)
{
    char line[512];
    snprintf(line, sizeof(line), PROGRAM_NAME ": crashed with %s, version %s, revision %s\n  ", first,
             build_info.version, build_info.revision);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), number);
    assert_memory_equal(report, line, strlen(line));
    assert_in_range(count_lines(), 3, 40);
}

/* --- Crashes --- */

static void write_nowhere(void)
{
    *(volatile int *) (uintptr_t) 0x10 = 1; /* NOLINT: that is the crash */
}

static void test_a_wrong_address(void **state)
{
    (void) state;
    expect_report(crash_in_child(write_nowhere), SIGSEGV, "SIGSEGV at address 0x10");
}

static void give_up(void)
{
    abort();
}

static void test_abort(void **state)
{
    (void) state;
    expect_report(crash_in_child(give_up), SIGABRT, "SIGABRT");
}

static void send_signal(void)
{
    kill(getpid(), SIGBUS);
}

/* The address would be that of the sender. */
static void test_a_signal_from_outside(void **state)
{
    (void) state;
    expect_report(crash_in_child(send_signal), SIGBUS, "SIGBUS");
}

static int recurse(volatile char *above)
{
    volatile char here[4096];
    here[0] = above ? above[0] : 0;
    if (here[0]) return 0; /* never */
    return recurse(here) + here[0];
}

static void overflow(void)
{
    recurse(NULL);
}

/* The handler has a stack of its own. */
static void test_no_stack_left(void **state)
{
    (void) state;
    int status = crash_in_child(overflow);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGSEGV);
    assert_non_null(strstr(report, "crashed with SIGSEGV at address 0x"));
    assert_in_range(count_lines(), 3, 40);
}

static void crash_with_full_pipe(void)
{
    int ends[2];
    if (pipe2(ends, O_NONBLOCK) < 0) _exit(1);
    while (write(ends[1], report, sizeof(report)) > 0) continue;
    fcntl(ends[1], F_SETFL, 0);
    dup2(ends[1], STDERR_FILENO);
    abort();
}

/* The report is lost, but the process does not hang. */
static void test_nobody_reads_the_report(void **state)
{
    (void) state;
    int status = crash_in_child(crash_with_full_pipe);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void on_signal(int number)
{
    _exit(number);
}

static void crash_with_handler(void)
{
    signal(SIGFPE, on_signal);
    crash_report();
    raise(SIGFPE);
}

static void test_a_handler_that_is_there_stays(void **state)
{
    (void) state;
    int status = crash_in_child(crash_with_handler);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), SIGFPE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_wrong_address),         cmocka_unit_test(test_abort),
        cmocka_unit_test(test_a_signal_from_outside),   cmocka_unit_test(test_no_stack_left),
        cmocka_unit_test(test_nobody_reads_the_report), cmocka_unit_test(test_a_handler_that_is_there_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
