#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "process/sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* What is tried in the sandbox; 0, or the line that was not as it should be. */
typedef int (*trial_fn)(const struct sandbox *sandbox, const char *directory);

#define EXPECT(condition)                                                                                    \
    if (!(condition)) return __LINE__

/* A sandbox is for ever: each trial has a process of its own. */
static void try_in_sandbox(trial_fn trial)
{
    char directory[] = "/tmp/test_sandbox_XXXXXX";
    int status;
    assert_non_null(mkdtemp(directory));
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        const char *const writable[] = {directory, "/nowhere/at/all"};
        struct sandbox sandbox;
        alarm(60);
        sandbox_enter(&sandbox, true, writable, 2);
        sandbox_filter_calls(&sandbox);
        int line = trial(&sandbox, directory);
        if (line) fprintf(stderr, "line %d, errno %d\n", line, errno);
        _exit(line ? 1 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rmdir(directory);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int write_only_where_allowed(const struct sandbox *sandbox, const char *directory)
{
    char path[100], other[100];
    if (!sandbox->files) return 0;
    snprintf(path, sizeof(path), "%s/new", directory);
    snprintf(other, sizeof(other), "%s/final", directory);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    EXPECT(fd >= 0);
    EXPECT(write(fd, "x", 1) == 1 && fsync(fd) == 0 && fchmod(fd, 0644) == 0 && close(fd) == 0);
    EXPECT(rename(path, other) == 0);
    fd = open(other, O_RDONLY);
    EXPECT(fd >= 0 && close(fd) == 0);
    EXPECT(unlink(other) == 0);
    EXPECT(open("/etc/hosts", O_RDONLY) >= 0);
    EXPECT(open("/proc/self/stat", O_RDONLY) >= 0);
    EXPECT(open("/tmp/test_sandbox_elsewhere", O_WRONLY | O_CREAT, 0600) < 0 && errno == EACCES);
    EXPECT(open("/etc/hosts", O_WRONLY) < 0 && errno == EACCES);
    return 0;
}

static int start_no_program(const struct sandbox *sandbox, const char *directory)
{
    char program[] = "/bin/true", *arguments[] = {program, NULL};
    (void) directory;
    EXPECT(sandbox->no_new_privileges);
    if (!sandbox->files && !sandbox->calls) return 0;
    EXPECT(execve(arguments[0], arguments, NULL) < 0 && (errno == EPERM || errno == EACCES));
    return 0;
}

static void *add_one(void *number)
{
    ++*(int *) number;
    return NULL;
}

static int work_as_before(const struct sandbox *sandbox, const char *directory)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM};
    pthread_t thread;
    int number = 0;
    (void) sandbox, (void) directory;
    EXPECT(pthread_create(&thread, NULL, add_one, &number) == 0 && pthread_join(thread, NULL) == 0 &&
           number == 1);
    EXPECT(getaddrinfo("localhost", "80", &hints, &found) == 0);
    freeaddrinfo(found);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(fd >= 0 && close(fd) == 0);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT(fd >= 0 && close(fd) == 0);
    return 0;
}

static int make_no_other_calls(const struct sandbox *sandbox, const char *directory)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    (void) directory;
    if (!sandbox->calls) return 0;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT(bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 && errno == EPERM);
    EXPECT(socket(AF_PACKET, SOCK_RAW, 0) < 0 && errno == ENOSYS);
    EXPECT(setuid(0) < 0 && errno == EPERM);
    EXPECT(chroot("/") < 0 && errno == EPERM);
    return 0;
}

static void test_files_are_written_only_where_allowed(void **state)
{
    (void) state;
    try_in_sandbox(write_only_where_allowed);
}

static void test_no_program_is_started(void **state)
{
    (void) state;
    try_in_sandbox(start_no_program);
}

static void test_what_the_exporter_needs_works(void **state)
{
    (void) state;
    try_in_sandbox(work_as_before);
}

static void test_other_calls_fail_and_kill_nobody(void **state)
{
    (void) state;
    try_in_sandbox(make_no_other_calls);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_are_written_only_where_allowed),
        cmocka_unit_test(test_no_program_is_started),
        cmocka_unit_test(test_what_the_exporter_needs_works),
        cmocka_unit_test(test_other_calls_fail_and_kill_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
