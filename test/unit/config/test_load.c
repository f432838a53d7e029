/* From a name to bytes: what can be wrong with the file itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_file.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
    char path[64], file[80];
};

static int make_folder(void **state)
{
    struct folder *folder = calloc(1, sizeof(*folder));
    strcpy(folder->path, "/tmp/config.XXXXXX");
    if (!mkdtemp(folder->path)) return -1;
    snprintf(folder->file, sizeof(folder->file), "%s/e.yml", folder->path);
    *state = folder;
    return chmod(folder->path, 0755);
}

static int remove_folder(void **state)
{
    struct folder *folder = *state;
    unlink(folder->file);
    rmdir(folder->path);
    free(folder);
    return 0;
}

/* A file of a text, then of NULs up to the size. */
static void make_file(const struct folder *folder, const char *text, off_t size)
{
    int fd = open(folder->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (size) assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

/* Expects the result, and what stands in the line behind the file's name. */
static void assert_load(const char *file, int result, const char *expected)
{
    struct config config;
    struct buffer error;
    char line[512];
    buffer_init(&error, 4096);
    assert_int_equal(config_load(&config, file, &rules, &error), result);
    /* The line about a file that cannot be read begins with the flag that names it. */
    bool unread = strncmp(expected, ": ", 2) == 0;
    snprintf(line, sizeof(line), "%s%s%s", unread ? "--config.file: " : "", expected[0] ? file : "",
             expected);
    assert_buffer(&error, line);
    config_deinit(&config);
    buffer_deinit(&error);
}

static void test_good_file(void **state)
{
    const struct folder *folder = *state;
    make_file(folder, "groups: []\n", 0);
    assert_load(folder->file, 0, "");
}

/* Longer than what is read at once. */
static void test_long_file(void **state)
{
    const struct folder *folder = *state;
    enum { SIZE = 300000 };
    char *text = malloc(SIZE + 1);
    memset(text, '\n', SIZE);
    strcpy(text + SIZE - 9, "groups: 1");
    make_file(folder, text, 0);
    free(text);
    assert_load(folder->file, -EINVAL, ":299992:9: groups: \"1\": expected a list of groups");
}

static void test_bad_file(void **state)
{
    const struct folder *folder = *state;
    make_file(folder, "groups: {}\n", 0);
    assert_load(folder->file, -EINVAL, ":1:9: groups: a mapping: expected a list of groups");
}

static void test_missing(void **state)
{
    const struct folder *folder = *state;
    assert_load(folder->file, -ENOENT, ": No such file or directory");
}

static void test_folder(void **state)
{
    const struct folder *folder = *state;
    assert_load(folder->path, -EINVAL, ": expected a file, not a directory");
}

/* Whose writer never comes. */
static void test_pipe(void **state)
{
    const struct folder *folder = *state;
    assert_int_equal(mkfifo(folder->file, 0644), 0);
    assert_load(folder->file, -EINVAL, ": expected a regular file");
}

static void test_no_permission(void **state)
{
    const struct folder *folder = *state;
    bool root = geteuid() == 0;
    make_file(folder, "groups: []\n", 0);
    assert_int_equal(chmod(folder->file, 0), 0);
    if (root) assert_int_equal(seteuid(65534), 0);
    assert_load(folder->file, -EACCES, ": Permission denied");
    if (root) assert_int_equal(seteuid(0), 0);
}

static void test_read_error(void **unused)
{
    (void) unused;
    assert_load("/proc/self/mem", -EIO, ": Input/output error");
}

static void test_size(void **state)
{
    const struct folder *folder = *state;
    make_file(folder, "a: b\n", (off_t) CONFIG_FILE_MAX);
    assert_load(folder->file, -EINVAL, ":2:1: expected YAML: control characters are not allowed");
    make_file(folder, "a: b\n", (off_t) CONFIG_FILE_MAX + 1);
    assert_load(folder->file, -EINVAL, ": expected at most 16 MiB");
    make_file(folder, "a: b\n", 100 * 1024 * 1024);
    assert_load(folder->file, -EINVAL, ": expected at most 16 MiB");
}

#define with_folder(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_folder(test_good_file),     with_folder(test_long_file),       with_folder(test_bad_file),
        with_folder(test_missing),       with_folder(test_folder),          with_folder(test_pipe),
        with_folder(test_no_permission), cmocka_unit_test(test_read_error), with_folder(test_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
