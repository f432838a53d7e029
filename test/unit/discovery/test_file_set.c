#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "discovery/file_set.h"
#include "discovery/sd_format.h"

#include <errno.h>

#define ONE   "[{\"targets\": [\"one\"]}]"
#define TWO   "[{\"targets\": [\"two\", \"three\"], \"labels\": {\"zone\": \"z\"}}]"
#define NONE  "[]"
#define Y_ONE "- targets: [y1]\n"
#define Y_TWO "- targets: [y1]\n- targets: [y2]\n"

static struct file_set set;
static time_t ahead_s;

int __real_clock_gettime(clockid_t clock, struct timespec *time);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

/* Time passes as we like, but for what files are compared with. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
    int result = __real_clock_gettime(clock, time);
    if (clock == CLOCK_MONOTONIC) time->tv_sec += ahead_s;
    return result;
}

static void open_set(const char *const *patterns, size_t count)
{
    struct buffer error;
    buffer_init(&error, 4096);
    assert_int_equal(file_set_init(&set, patterns, count, directory, &error), 0);
    assert_int_equal(error.len, 0);
}

static int set_up(void **state)
{
    static const char *const patterns[] = {"*.json", "*.yml", "sub/*.json", "a.json"};
    (void) state;
    directory_open();
    open_set(patterns, 4);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    file_set_deinit(&set);
    directory_close();
    return 0;
}

/* What a reading says: the addresses, joined by blanks, or "same"; with errors behind '!', without the
 * directory. */
static void assert_read(const char *expected)
{
    struct file_set_answer answer;
    char line[8192] = "", *at;
    file_set_read(&set, &answer);
    for (size_t n = 0; n < answer.found.count; n++) {
        if (n) strcat(line, " ");
        strcat(line, answer.found.targets[n].address);
    }
    if (!answer.changed) strcat(line, "same");
    if (answer.restless) strcat(line, " restless");
    assert_int_equal(answer.broken > 0, answer.error.len > 0);
    if (answer.broken) sprintf(line + strlen(line), " !%u %.*s", answer.broken, SLICE_ARG(answer.error));
    while ((at = strstr(line, directory))) {
        char *behind = at + strlen(directory) + 1;
        memmove(at, behind, strlen(behind) + 1);
    }
    assert_string_equal(line, expected);
    file_set_answer_deinit(&answer);
}

/* --- Changes --- */

static void test_nothing(void **state)
{
    (void) state;
    assert_read("");
    assert_read("same");
}

static void test_coming_and_going(void **state)
{
    (void) state;
    write_file("b.json", TWO);
    assert_read("two three");
    assert_read("same");
    write_file("a.json", ONE);
    assert_read("one two three");
    remove_file("b.json");
    assert_read("one");
    replace_file("a.json", TWO);
    assert_read("two three");
    write_file("a.json", NONE);
    assert_read("");
    remove_file("a.json");
    write_file("c.json", ONE);
    assert_read("one");
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    write_file("sub/x.json", ONE);
    assert_read("one one");
    remove_file("sub/x.json");
    assert_int_equal(rmdir(path_of("sub")), 0);
    assert_read("one");
    assert_read("same");
}

static void test_labels(void **state)
{
    (void) state;
    struct file_set_answer answer;
    write_file("a.json", TWO);
    file_set_read(&set, &answer);
    const struct results_target *target = &answer.found.targets[1];
    assert_string_equal(target->address, "three");
    assert_int_equal(target->label_count, 2);
    assert_string_equal(target->labels[0].name, "zone");
    assert_string_equal(target->labels[0].value, "z");
    assert_string_equal(target->labels[1].name, "__meta_filepath");
    assert_string_equal(target->labels[1].value, path_of("a.json"));
    file_set_answer_deinit(&answer);
}

static void test_links(void **state)
{
    (void) state;
    assert_int_equal(symlink("real", path_of("a.json")), 0);
    assert_read("");
    write_file("real", ONE);
    assert_read("one");
    remove_file("real");
    assert_read("");
}

/* --- Broken files --- */

static void test_broken_file_keeps_its_own(void **state)
{
    (void) state;
    write_file("a.json", ONE);
    write_file("b.json", TWO);
    assert_read("one two three");
    write_file("b.json", "[{\"targets\": [\"tw");
    assert_read("same !1 b.json:1:17: expected JSON: premature end of input near '\"tw'");
    write_file("a.json", TWO);
    assert_read("two three two three !1 b.json:1:17: expected JSON: premature end of input near '\"tw'");
    write_file("b.json", "");
    remove_file("a.json");
    assert_read("two three restless");
    age_file("b.json", 1);
    assert_read("");
    write_file("b.json", ONE);
    assert_read("one");
}

static void test_broken_and_the_same_again(void **state)
{
    (void) state;
    write_file("a.json", ONE);
    assert_read("one");
    write_file("a.json", "[");
    assert_read("same !1 a.json:1:1: expected JSON: ']' expected near end of file");
    write_file("a.json", ONE);
    assert_read("same");
}

static void test_broken_from_the_start(void **state)
{
    (void) state;
    write_file("a.json", "[{\"targets\": 1}]");
    assert_read("same !1 a.json: [0].targets: \"1\": expected a list");
    write_file("b.yml", "- targets: [x\n");
    write_file("c.json", ONE);
    assert_read("one !2 a.json: [0].targets: \"1\": expected a list");
    remove_file("a.json");
    remove_file("b.yml");
    remove_file("c.json");
    assert_read("");
}

/* As long as nothing is known, a broken file does not stand for no targets. */
static void test_nothing_but_broken(void **state)
{
    (void) state;
    write_file("a.json", "x");
    assert_read("same !1 a.json:1:1: expected JSON: invalid token near 'x'");
    remove_file("a.json");
    assert_read("");
}

static void test_no_file(void **state)
{
    (void) state;
    write_file("b.json", ONE);
    assert_int_equal(mkdir(path_of("a.json"), 0755), 0);
    assert_read("one !1 a.json: expected a regular file");
    assert_int_equal(rmdir(path_of("a.json")), 0);
    assert_int_equal(mkfifo(path_of("a.json"), 0600), 0);
    assert_read("same !1 a.json: expected a regular file");
    remove_file("a.json");
    assert_int_equal(symlink("a.json", path_of("a.json")), 0);
    assert_read("same !1 a.json: Too many levels of symbolic links");
}

static void test_directory_that_cannot_be_listed(void **state)
{
    (void) state;
    write_file("b.json", ONE);
    assert_read("one");
    assert_int_equal(symlink("sub", path_of("sub")), 0);
    remove_file("b.json");
    assert_read("same !1 sub/*.json: a directory cannot be listed: Too many levels of symbolic links");
    remove_file("sub");
    assert_read("");
}

static void test_size(void **state)
{
    (void) state;
    char *bytes = malloc(SD_TEXT_MAX + 1);
    assert_non_null(bytes);
    memset(bytes, ' ', SD_TEXT_MAX + 1);
    bytes[0] = '[';
    bytes[SD_TEXT_MAX - 1] = ']';
    write_bytes("a.json", bytes, SD_TEXT_MAX);
    assert_read("");
    write_bytes("a.json", bytes, SD_TEXT_MAX + 1);
    assert_read("same !1 a.json: expected at most 16 MiB");
    free(bytes);
}

static void write_many(const char *name, unsigned count)
{
    struct buffer text;
    buffer_init(&text, SD_TEXT_MAX);
    buffer_append_string(&text, "[{\"targets\": [\"a\"");
    while (--count) buffer_append_string(&text, ",\"a\"");
    buffer_append_string(&text, "]}]");
    write_bytes(name, text.data, text.len);
    buffer_deinit(&text);
}

/* What could not be told is told when there is room again, though no file has changed since. */
static void test_too_many_in_all(void **state)
{
    (void) state;
    write_file("c.json", ONE);
    assert_read("one");
    write_many("a.json", RESULTS_MAX / 2);
    write_many("b.json", RESULTS_MAX / 2);
    assert_read("same !1 more than 100000 targets in all files");
    assert_read("same !1 more than 100000 targets in all files");
    write_file("a.json", NONE);
    write_file("b.json", NONE);
    assert_read("one");
    assert_read("same");
}

/* --- YAML --- */

static void test_yaml_rests_first(void **state)
{
    (void) state;
    write_file("a.yml", Y_TWO);
    assert_read("y1 y2");
    write_file("a.yml", Y_ONE);
    assert_read("same restless");
    age_file("a.yml", 1);
    assert_read("y1");
    assert_read("same");
    write_file("a.yml", "- targets: 1\n");
    assert_read("same restless");
    age_file("a.yml", 1);
    assert_read("same !1 a.yml:1:12: [0].targets: \"1\": expected a list");
}

static void test_yaml_of_the_future(void **state)
{
    (void) state;
    write_file("a.yml", Y_ONE);
    assert_read("y1");
    write_file("a.yml", Y_TWO);
    age_file("a.yml", -3600);
    assert_read("y1 y2");
}

static void test_restless_is_not_for_ever(void **state)
{
    (void) state;
    write_file("a.yml", Y_ONE);
    assert_read("y1");
    for (ahead_s = 0; ahead_s < FILE_SET_PATIENCE_MS / 1000; ahead_s++) {
        write_file("a.yml", Y_TWO);
        assert_read("same restless");
    }
    assert_read("y1 y2");
    write_file("a.yml", Y_ONE);
    assert_read("same restless");
    age_file("a.yml", 1);
    assert_read("y1");
}

/* --- Patterns --- */

static void test_patterns(void **state)
{
    (void) state;
    static const char *const wrong[] = {"*", "a.txt", "json", ".json", "a.json~", "", "a.json/"};
    struct buffer error;
    for (size_t n = 0; n < sizeof(wrong) / sizeof(wrong[0]); n++) {
        struct file_set refused;
        buffer_init(&error, 4096);
        assert_int_equal(file_set_init(&refused, &wrong[n], 1, "", &error), -EINVAL);
        buffer_append_char(&error, '\0');
        assert_non_null(strstr(error.data, ": expected a name that ends in .json, .yml or .yaml"));
        buffer_deinit(&error);
        file_set_deinit(&refused);
    }
    static const char *const right[] = {"*.json", "A.JSON", "a.yml", "/x/?.yaml"};
    file_set_deinit(&set);
    open_set(right, 4);
}

static void test_upper_case_and_absolute(void **state)
{
    (void) state;
    const char *const patterns[] = {"A.JSON", path_of("b.Yaml")};
    file_set_deinit(&set);
    open_set(patterns, 2);
    write_file("A.JSON", ONE);
    write_file("b.Yaml", Y_ONE);
    assert_read("one y1");
}

/* The directory is no pattern, whatever its name is. */
static void test_directory_with_special_name(void **state)
{
    (void) state;
    static const char *const pattern[] = {"*.json"};
    struct buffer error;
    char name[PATH_MAX];
    assert_int_equal(mkdir(path_of("[ab]"), 0755), 0);
    assert_int_equal(mkdir(path_of("a"), 0755), 0);
    write_file("[ab]/x.json", ONE);
    write_file("a/x.json", TWO);
    file_set_deinit(&set);
    strcpy(name, path_of("[ab]"));
    buffer_init(&error, 4096);
    assert_int_equal(file_set_init(&set, pattern, 1, name, &error), 0);
    assert_read("one");
}

static void test_directories(void **state)
{
    (void) state;
    struct paths directories;
    paths_init(&directories);
    assert_int_equal(file_set_directories(&set, &directories), 0);
    assert_int_equal(directories.count, 1);
    assert_string_equal(directories.items[0], directory);
    paths_deinit(&directories);
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    assert_int_equal(file_set_directories(&set, &directories), 0);
    assert_int_equal(directories.count, 2);
    assert_string_equal(directories.items[1], path_of("sub"));
    paths_deinit(&directories);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_nothing),
        TEST(test_coming_and_going),
        TEST(test_labels),
        TEST(test_links),
        TEST(test_broken_file_keeps_its_own),
        TEST(test_broken_and_the_same_again),
        TEST(test_broken_from_the_start),
        TEST(test_nothing_but_broken),
        TEST(test_no_file),
        TEST(test_directory_that_cannot_be_listed),
        TEST(test_size),
        TEST(test_too_many_in_all),
        TEST(test_yaml_rests_first),
        TEST(test_yaml_of_the_future),
        TEST(test_restless_is_not_for_ever),
        TEST(test_patterns),
        TEST(test_upper_case_and_absolute),
        TEST(test_directory_with_special_name),
        TEST(test_directories),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
