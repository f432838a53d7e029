/* What the limit of open files leaves for whom, and standard descriptors that are closed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "settings/descriptors.h"

#include "base/container.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct options options = {.web = true, .max_connections = 512, .max_targets = 100};

static struct rlimit before;

static int remember(void **state)
{
    (void) state;
    return getrlimit(RLIMIT_NOFILE, &before);
}

static int restore(void **state)
{
    (void) state;
    return setrlimit(RLIMIT_NOFILE, &before);
}

static void limit_to(rlim_t files)
{
    struct rlimit limit = {files, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void test_raise(void **state)
{
    (void) state;
    struct rlimit now;
    limit_to(before.rlim_max / 2);
    descriptors_raise();
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &now), 0);
    assert_int_equal(now.rlim_cur, before.rlim_max);
}

/* As many as the options say where there is room, less where there is not, and always some. */
static void test_for_clients(void **state)
{
    (void) state;
    static const struct {
        rlim_t files;
        size_t targets;
        unsigned least, most;
    } rows[] = {
        {2048, 10, 512, 512},    {2048, 1500, 300, 484}, {2048, 2000, 256, 512},
        {2048, 90000, 256, 512}, {256, 10, 64, 182},     {64, 0, 8, 16},
    };
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        limit_to(rows[n].files);
        assert_in_range(descriptors_for_clients(&options, rows[n].targets), rows[n].least, rows[n].most);
    }
}

static void test_spare(void **state)
{
    (void) state;
    limit_to(2048);
    assert_int_equal(descriptors_spare(&options, 10), 100); /* no more than a request names */
    assert_in_range(descriptors_spare(&options, 1400), 1, 72);
    assert_int_equal(descriptors_spare(&options, 2000), 0);
}

/* In a process of its own, which says by its exit code what it found. */
static int hold_without(unsigned closed)
{
    for (int n = 0; n < 3; n++)
        if (closed & 1u << n) close(n);
    descriptors_hold_standard();
    int next = open("/dev/null", O_RDONLY);
    if (next < 3) return 1;
    for (int n = 0; n < 3; n++)
        if (fcntl(n, F_GETFD) < 0) return 2;
    char byte = 'x';
    return (closed & 4) && write(STDERR_FILENO, &byte, 1) != 1 ? 3 : 0;
}

static void test_hold_standard(void **state)
{
    (void) state;
    for (unsigned closed = 0; closed < 8; closed++) {
        int status;
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) _exit(hold_without(closed));
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, remember, restore)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_raise),
        TEST(test_for_clients),
        TEST(test_spare),
        TEST(test_hold_standard),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
