#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "settings/memory_limit.h"

#include <stdio.h>

static int setup(void **state)
{
    (void) state;
    directory_open();
    for (const char *const *name =
             (const char *const[]){"proc", "proc/self", "sys", "sys/fs", "sys/fs/cgroup", "sys/fs/cgroup/a",
                                   "sys/fs/cgroup/a/b", "sys/fs/cgroup/memory", "sys/fs/cgroup/memory/a",
                                   NULL};
         *name; name++)
        assert_int_equal(mkdir(path_of(*name), 0755), 0);
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    directory_close();
    return 0;
}

static void test_the_least_limit_above_counts(void **state)
{
    (void) state;
    write_file("proc/self/cgroup", "0::/a/b\n");
    write_file("sys/fs/cgroup/a/b/memory.max", "max\n");
    write_file("sys/fs/cgroup/a/memory.max", "500000\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 500000);
    write_file("sys/fs/cgroup/a/b/memory.max", "600000\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 500000);
    write_file("sys/fs/cgroup/a/b/memory.max", "400000\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 400000);
}

/* In a container, the path of the host leads nowhere, or there is none but the root. */
static void test_the_root_counts(void **state)
{
    (void) state;
    write_file("sys/fs/cgroup/memory.max", "300000\n");
    write_file("proc/self/cgroup", "0::/\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 300000);
    write_file("proc/self/cgroup", "0::/kubepods/pod1/x\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 300000);
}

static void test_version_1(void **state)
{
    (void) state;
    write_file("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/a\n");
    write_file("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 0);
    write_file("sys/fs/cgroup/memory/a/memory.limit_in_bytes", "700000\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 700000);
}

static void test_nothing_says(void **state)
{
    (void) state;
    assert_int_equal(memory_limit_of_cgroup(directory), 0);
    write_file("proc/self/cgroup", "nonsense\n0::/a\n");
    write_file("sys/fs/cgroup/a/memory.max", "many\n");
    assert_int_equal(memory_limit_of_cgroup(directory), 0);
    assert_true(memory_limit() > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_the_least_limit_above_counts),
        TEST(test_the_root_counts),
        TEST(test_version_1),
        TEST(test_nothing_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
