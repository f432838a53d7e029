#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/dumps.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* In a process of its own, since it is for ever. */
static void test_no_core_is_left(void **state)
{
    int status;
    (void) state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct rlimit limit;
        dumps_forbid();
        dumps_forbid();
        if (prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0) _exit(1);
        if (getrlimit(RLIMIT_CORE, &limit) < 0 || limit.rlim_cur != 0 || limit.rlim_max != 0) _exit(2);
        signal(SIGABRT, SIG_DFL);
        raise(SIGABRT);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_false(WCOREDUMP(status));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_core_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
