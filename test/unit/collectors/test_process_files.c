#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collectors/process_files.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char bytes[8192];

/* The number of the process that a file named stat is of, 0 if there is none. */
static long pid_read(struct process_files *files)
{
    struct slice text = process_files_read(files, PROCESS_FILE_STAT, bytes, sizeof(bytes) - 1);
    bytes[text.len] = '\0';
    return text.len ? strtol(bytes, NULL, 10) : 0;
}

static void test_files_stay_open(void **unused)
{
    struct process_files files = {0};
    int opened[PROCESS_FILE_COUNT];
    (void) unused;
    for (enum process_file file = 0; file < PROCESS_FILE_COUNT; file++) {
        opened[file] = process_files_open(&files, file);
        assert_true(opened[file] > 0);
    }
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(pid_read(&files), getpid());
        assert_true(process_files_read(&files, PROCESS_FILE_LIMITS, bytes, sizeof(bytes)).len > 100);
        assert_true(process_files_read(&files, PROCESS_FILE_NETSTAT, bytes, sizeof(bytes)).len > 100);
    }
    for (enum process_file file = 0; file < PROCESS_FILE_COUNT; file++)
        assert_int_equal(files.descriptors[file], opened[file]);
    process_files_close(&files);
    for (enum process_file file = 0; file < PROCESS_FILE_COUNT; file++)
        assert_int_equal(fcntl(opened[file], F_GETFD), -1);
}

static void test_descriptors_are_counted(void **unused)
{
    struct process_files files = {0};
    uint64_t before, after;
    (void) unused;
    assert_true(process_files_count_descriptors(&files, &before));
    int more = open("/dev/null", O_RDONLY);
    assert_true(process_files_count_descriptors(&files, &after));
    assert_true(after == before + 1);
    close(more);
    process_files_close(&files);
}

static pid_t start_child(void)
{
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    assert_true(child > 0);
    return child;
}

static void end_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

/* What is open of a process is of no use for another one, and of none once it has ended. */
static void test_processes_change(void **unused)
{
    struct process_files files = {0};
    pid_t first = start_child(), second = start_child();
    uint64_t count;
    (void) unused;
    process_files_select(&files, first);
    assert_int_equal(pid_read(&files), first);
    assert_true(process_files_count_descriptors(&files, &count) && count >= 3);
    process_files_select(&files, second);
    assert_int_equal(pid_read(&files), second);
    end_child(second);
    assert_int_equal(pid_read(&files), 0);
    assert_false(process_files_count_descriptors(&files, &count));
    process_files_select(&files, first);
    assert_int_equal(pid_read(&files), first);
    end_child(first);
    process_files_close(&files);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_stay_open),
        cmocka_unit_test(test_descriptors_are_counted),
        cmocka_unit_test(test_processes_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
