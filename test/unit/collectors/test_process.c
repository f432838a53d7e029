#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"

#include <sys/mman.h>

#include "collectors/process.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* The whole exposition of one collector, as a string that the caller frees. */
static char *collect(struct process_walk *process)
{
    struct exposition exposition;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &process->walk);
    assert_false(exposition_fill(&exposition, &out, 1 << 20));
    buffer_append_char(&out, '\0');
    return out.data;
}

/* The value of a sample without labels. */
static double sample(const char *text, const char *name)
{
    char line[128];
    snprintf(line, sizeof(line), "\n%s ", name);
    const char *at = strstr(text, line);
    if (!at) fail_msg("no sample %s in:\n%s", name, text);
    return strtod(at + strlen(line), NULL);
}

static void test_this_process(void **unused)
{
    struct process_walk process;
    (void) unused;
    process_walk_self(&process);
    char *before = collect(&process);
    int more = open("/dev/null", O_RDONLY);
    process_walk_self(&process);
    char *after = collect(&process);
    assert_true(sample(after, "process_open_fds") == sample(before, "process_open_fds") + 1);
    assert_true(sample(after, "process_max_fds") >= sample(after, "process_open_fds"));
    assert_true(sample(after, "process_resident_memory_bytes") > 100000);
    assert_true(sample(after, "process_virtual_memory_bytes") >=
                sample(after, "process_resident_memory_bytes"));
    assert_true(sample(after, "process_network_receive_bytes_total") >= 0);
    assert_true(sample(after, "process_network_transmit_bytes_total") >= 0);
    assert_true(sample(after, "process_threads") >= 1);
    assert_true(sample(after, "process_cpu_seconds_total") >= 0);
    double started = sample(after, "process_start_time_seconds");
    assert_true(started <= (double) time(NULL) + 2 && started > (double) time(NULL) - 600);
    close(more);
    free(before);
    free(after);
}

static void send_datagram(void)
{
    char bytes[1000] = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *) &address, len), 0);
    getsockname(fd, (struct sockaddr *) &address, &len);
    assert_int_equal(sendto(fd, bytes, sizeof(bytes), 0, (struct sockaddr *) &address, len), sizeof(bytes));
    close(fd);
}

/* What is kept open is read anew each time, and limits are those of now. */
static void test_limits_are_not_stale(void **unused)
{
    struct process_walk process;
    struct rlimit limit, less;
    (void) unused;
    getrlimit(RLIMIT_NOFILE, &limit);
    less = limit;
    less.rlim_cur = 100;
    setrlimit(RLIMIT_NOFILE, &less);
    process_walk_self(&process);
    char *text = collect(&process);
    setrlimit(RLIMIT_NOFILE, &limit);
    assert_true(sample(text, "process_max_fds") == 100);
    getrlimit(RLIMIT_AS, &limit);
    if (limit.rlim_cur == RLIM_INFINITY)
        assert_non_null(strstr(text, "\nprocess_virtual_memory_max_bytes 18446744073709551615\n"));
    free(text);
}

static double bytes_sent(void)
{
    struct process_walk process;
    process_walk_self(&process);
    char *text = collect(&process);
    double sent = sample(text, "process_network_transmit_bytes_total");
    free(text);
    return sent;
}

/* The kernel takes long to write the counters of the network, so they may be a second old. */
static void test_network_is_not_stale_for_long(void **unused)
{
    double before = bytes_sent(), after = before;
    (void) unused;
    send_datagram();
    for (unsigned n = 0; n < 100 && after < before + 1000; n++) {
        usleep(100000);
        after = bytes_sent();
    }
    assert_true(after >= before + 1000);
}

/* The families that are announced are those that the registry checks, each in its place. */
static void test_families_are_those_of_the_collector(void **unused)
{
    struct process_walk process;
    (void) unused;
    process_walk_self(&process);
    assert_ptr_equal(process.walk.collector, &process_collector);
    char *text = collect(&process), line[128];
    const char *at = text;
    for (size_t n = 0; n < process_collector.count; n++) {
        snprintf(line, sizeof(line), "# TYPE %s ", process_collector.families[n]->name);
        at = strstr(at, line);
        if (!at) fail_msg("no %s, or not in its place, in:\n%s", line, text);
    }
    assert_null(strstr(at + 1, "# TYPE "));
    free(text);
}

static void write_pid_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_process_of_a_pid_file(void **unused)
{
    char path[] = "/tmp/test_process_XXXXXX", pid[32];
    struct process_walk process;
    (void) unused;
    close(mkstemp(path));
    snprintf(pid, sizeof(pid), "%ld\n", (long) getpid());
    write_pid_file(path, pid);
    process_walk_pid_file(&process, path);
    char *text = collect(&process);
    assert_true(sample(text, "memcached_process_resident_memory_bytes") > 100000);
    assert_true(sample(text, "memcached_process_open_fds") >= 3);
    assert_non_null(strstr(text, "# TYPE memcached_process_cpu_seconds_total counter\n"));
    assert_ptr_equal(process.walk.collector, &memcached_process_collector);
    free(text);
    unlink(path);
}

static void expect_samples(const char *path, bool some)
{
    struct process_walk process;
    process_walk_pid_file(&process, path);
    char *text = collect(&process);
    assert_int_equal(text[0] != '\0', some);
    free(text);
}

static unsigned logged(int log, const char *words)
{
    char text[8192];
    unsigned count = 0;
    ssize_t len = pread(log, text, sizeof(text) - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    for (const char *at = text; (at = strstr(at, words)); at++) count++;
    return count;
}

/* No file, no number, no such process: no samples, and each reason is said once, as is the recovery. */
static void test_pid_file_that_says_nothing(void **unused)
{
    static const char *const texts[] = {"abc\n", "-5\n", "0\n", "99999999999999999999\n", "4194304999\n"};
    char path[] = "/tmp/test_process_XXXXXX", pid[32];
    int log = memfd_create("log", MFD_CLOEXEC);
    (void) unused;
    log_configure(LOG_INFO, LOG_LOGFMT, log);
    close(mkstemp(path));
    for (size_t n = 0; n < 2; n++) expect_samples(path, false);
    assert_int_equal(logged(log, "it cannot be read or is empty"), 1);
    for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
        write_pid_file(path, texts[n]);
        expect_samples(path, false);
    }
    assert_int_equal(logged(log, "it does not hold a process id"), 1);
    /* No process has the largest of all ids. */
    write_pid_file(path, "2147483647\n");
    for (size_t n = 0; n < 2; n++) expect_samples(path, false);
    assert_int_equal(logged(log, "there is no process of that id"), 1);
    unlink(path);
    for (size_t n = 0; n < 2; n++) expect_samples(path, false);
    assert_int_equal(logged(log, "level=WARN"), 4);
    snprintf(pid, sizeof(pid), "%ld\n", (long) getpid());
    write_pid_file(path, pid);
    for (size_t n = 0; n < 2; n++) expect_samples(path, true);
    assert_int_equal(logged(log, "found the process of the pid file again"), 1);
    unlink(path);
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_this_process),
        cmocka_unit_test(test_limits_are_not_stale),
        cmocka_unit_test(test_network_is_not_stale_for_long),
        cmocka_unit_test(test_families_are_those_of_the_collector),
        cmocka_unit_test(test_process_of_a_pid_file),
        cmocka_unit_test(test_pid_file_that_says_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
