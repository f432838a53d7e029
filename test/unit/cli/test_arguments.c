/* @FILE on the command line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cli/arguments.h"
#include "directory.h"
#include "parsed_options.h"

/* An argument "@" is replaced by the path of a.txt. */
static int expand(struct arguments *arguments, struct buffer *error, const char *const *texts)
{
    char *argv[8] = {NULL}, file[PATH_MAX + 2];
    snprintf(file, sizeof(file), "@%s", path_of("a.txt"));
    for (size_t n = 0; texts[n]; n++) argv[n] = strcmp(texts[n], "@") == 0 ? file : (char *) texts[n];
    buffer_init(error, 4096);
    return arguments_expand(arguments, argv, error);
}

static void assert_expands(const char *const *texts, const char *const *expected)
{
    struct arguments arguments;
    struct buffer error;
    size_t n = 0;
    assert_int_equal(expand(&arguments, &error, texts), 0);
    for (; expected[n]; n++) {
        assert_true(n < arguments.count);
        assert_string_equal(arguments.items[n], expected[n]);
    }
    assert_int_equal(arguments.count, n);
    assert_null(arguments.items[n]);
    arguments_deinit(&arguments);
    buffer_deinit(&error);
}

static void test_lines(void **state)
{
    (void) state;
    write_file("a.txt", "--once\n# a remark\n\n--push.job=a b \r\n--memcached.timeout\n2s");
    assert_expands(ARGUMENTS("--web", "@", "--x"),
                   ENVIRONMENT("--web", "--once", "--push.job=a b ", "--memcached.timeout", "2s", "--x"));
    assert_expands(ARGUMENTS("--", "@a"), ENVIRONMENT("--", "@a"));
    assert_expands(ARGUMENTS(NULL), ENVIRONMENT(NULL));
}

static void test_file_in_a_file(void **state)
{
    char line[PATH_MAX + 16];
    (void) state;
    write_file("b.txt", "--once\n");
    snprintf(line, sizeof(line), "--web\n@%s\n--x\n", path_of("b.txt"));
    write_file("a.txt", line);
    assert_expands(ARGUMENTS("@"), ENVIRONMENT("--web", "--once", "--x"));
}

static void assert_refused(const char *expected)
{
    struct arguments arguments;
    struct buffer error;
    assert_true(expand(&arguments, &error, ARGUMENTS("@")) < 0);
    buffer_append_char(&error, '\0');
    if (!strstr(error.data, expected)) fail_msg("no %s in %s", expected, error.data);
    assert_int_equal(error.data[0], '@');
    arguments_deinit(&arguments);
    buffer_deinit(&error);
}

/* A second line of 65,537 bytes. */
static const char *long_line(void)
{
    static char text[65536 + 16];
    memset(text, 'x', sizeof(text) - 1);
    memcpy(text, "--once\n", 7);
    text[7 + 65537] = '\0';
    return text;
}

/* A file has one line for each server of a fleet. */
static void test_many_lines(void **state)
{
    struct arguments arguments;
    struct buffer error, text;
    (void) state;
    buffer_init(&text, 8 * 1024 * 1024);
    for (unsigned n = 0; n < 20000; n++) buffer_printf(&text, "--memcached.address=cache-%u\n", n);
    buffer_append_char(&text, '\0');
    write_file("a.txt", text.data);
    assert_int_equal(expand(&arguments, &error, ARGUMENTS("@")), 0);
    assert_int_equal(arguments.count, 20000);
    assert_string_equal(arguments.items[19999], "--memcached.address=cache-19999");
    arguments_deinit(&arguments);
    buffer_deinit(&error);

    buffer_clear(&text);
    for (unsigned n = 0; n < 200001; n++) buffer_append_string(&text, "x\n");
    buffer_append_char(&text, '\0');
    write_file("a.txt", text.data);
    assert_refused("/a.txt:200001: expected at most 200000 arguments");
    buffer_deinit(&text);
}

static void test_bad_files(void **state)
{
    char line[PATH_MAX + 16];
    (void) state;
    assert_refused("/a.txt: no such file or directory");
    snprintf(line, sizeof(line), "@%s\n", path_of("a.txt"));
    write_file("a.txt", line);
    assert_refused("expected no file that names itself");
    write_bytes("a.txt", "a\0b\n", 4);
    assert_refused("/a.txt:1: expected text without NUL bytes");
    write_file("a.txt", long_line());
    assert_refused("/a.txt:2: expected at most 65536 bytes in a line");
    assert_int_equal(unlink(path_of("a.txt")), 0);
    assert_int_equal(mkdir(path_of("a.txt"), 0700), 0);
    assert_refused("illegal operation on a directory");
}

/* As options see it: an error of the file ends with code 1. */
static void test_options(void **state)
{
    struct outcome outcome;
    char file[PATH_MAX + 2];
    (void) state;
    write_file("a.txt", "--push.job\nx\n");
    snprintf(file, sizeof(file), "@%s", path_of("a.txt"));
    parse(&outcome, ARGUMENTS(file, "--once"), NO_ENVIRONMENT);
    assert_runs(&outcome);
    assert_string_equal(outcome.options.push.job, "x");
    assert_true(outcome.options.once);
    release(&outcome);
    parse(&outcome, ARGUMENTS("@/nowhere"), NO_ENVIRONMENT);
    assert_int_equal(outcome.code, OPTIONS_FAILED);
    assert_text(&outcome.text, "memcached_fleet_exporter: @/nowhere: no such file or directory\n");
    release(&outcome);
}

static int setup(void **state)
{
    (void) state;
    directory_open();
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    directory_close();
    return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_lines),     TEST(test_file_in_a_file), TEST(test_many_lines),
        TEST(test_bad_files), TEST(test_options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
