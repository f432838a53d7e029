#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "discovery/paths.h"

#include <errno.h>

static struct paths paths;
static struct buffer error;

static int set_up(void **state)
{
    (void) state;
    directory_open();
    paths_init(&paths);
    buffer_init(&error, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    paths_deinit(&paths);
    buffer_deinit(&error);
    directory_close();
    return 0;
}

/* The paths below the directory, joined by blanks; "." for itself. */
static void assert_paths(const char *expected)
{
    char line[1024] = "";
    paths_sort(&paths);
    for (size_t n = 0; n < paths.count; n++) {
        const char *path = paths.items[n], *below = path + strlen(directory);
        assert_memory_equal(path, directory, strlen(directory));
        if (n) strcat(line, " ");
        strcat(line, *below ? below + 1 : ".");
    }
    assert_string_equal(line, expected);
    paths_deinit(&paths);
}

static void add_files(const char *pattern)
{
    assert_int_equal(paths_add_files(&paths, path_of(pattern), &error), 0);
    assert_int_equal(error.len, 0);
}

static void add_directories(const char *pattern)
{
    assert_int_equal(paths_add_directories(&paths, path_of(pattern)), 0);
}

static void make(const char *name)
{
    assert_int_equal(mkdir(path_of(name), 0755), 0);
}

static void test_files(void **state)
{
    (void) state;
    write_file("b.json", "");
    write_file("a.json", "");
    write_file("c.yml", "");
    write_file(".hidden.json", "");
    add_files("*.json");
    add_files("a*");
    assert_paths("a.json b.json");
    add_files("[bc].*");
    assert_paths("b.json c.yml");
    add_files("*.yaml");
    assert_paths("");
}

/* Whether it exists or not is found out by who opens it. */
static void test_literal_files(void **state)
{
    (void) state;
    add_files("no/a.json");
    assert_paths("no/a.json");
    write_file("a*b\\.json", "");
    write_file("axb\\.json", "");
    add_files("a\\*b\\\\.json");
    assert_paths("a*b\\.json");
}

static void test_no_directory(void **state)
{
    (void) state;
    add_files("no/*.json");
    write_file("file", "");
    add_files("file/*.json");
    assert_paths("");
}

static void test_link_to_itself(void **state)
{
    (void) state;
    char pattern[PATH_MAX], expected[2 * PATH_MAX];
    assert_int_equal(symlink("loop", path_of("loop")), 0);
    strcpy(pattern, path_of("loop/*.json"));
    assert_int_equal(paths_add_files(&paths, pattern, &error), -ELOOP);
    buffer_append_char(&error, '\0');
    snprintf(expected, sizeof(expected), "%s: a directory cannot be listed: %s", pattern, strerror(ELOOP));
    assert_string_equal(error.data, expected);
}

static void test_escape(void **state)
{
    (void) state;
    struct buffer pattern;
    make("a[b]*?\\");
    make("ab");
    write_file("a[b]*?\\/x.json", "");
    write_file("ab/x.json", "");
    buffer_init(&pattern, 4096);
    paths_escape(&pattern, slice_of(path_of("a[b]*?\\")));
    buffer_append(&pattern, "/*.json", sizeof("/*.json"));
    assert_int_equal(paths_add_files(&paths, pattern.data, &error), 0);
    assert_paths("a[b]*?\\/x.json");
    assert_int_equal(paths_add_directories(&paths, pattern.data), 0);
    assert_paths("a[b]*?\\");
    buffer_deinit(&pattern);
}

static void test_directories(void **state)
{
    (void) state;
    make("a");
    make("a/b");
    add_directories("a/b/*.json");
    assert_paths("a/b");
    add_directories("a/b/x.json");
    add_directories("a/y.json");
    assert_paths("a a/b");
    add_directories("a/no/neither/x.json");
    assert_paths("a");
    add_directories("no/*.json");
    assert_paths(".");
}

static void test_directories_of_wildcards(void **state)
{
    (void) state;
    make("a");
    make("a/b");
    make("a/c");
    write_file("a/file", "");
    add_directories("a/[bc]/*.json");
    assert_paths("a a/b a/c");
    add_directories("*/b/*.json");
    assert_paths(". a a/b");
}

static void test_relative(void **state)
{
    (void) state;
    char before[PATH_MAX];
    assert_non_null(getcwd(before, sizeof(before)));
    assert_int_equal(chdir(directory), 0);
    assert_int_equal(paths_add_directories(&paths, "x.json"), 0);
    assert_int_equal(paths_add_directories(&paths, "no/x.json"), 0);
    paths_sort(&paths);
    assert_int_equal(paths.count, 1);
    assert_string_equal(paths.items[0], ".");
    assert_int_equal(chdir(before), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files),
        TEST(test_literal_files),
        TEST(test_no_directory),
        TEST(test_link_to_itself),
        TEST(test_escape),
        TEST(test_directories),
        TEST(test_directories_of_wildcards),
        TEST(test_relative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
