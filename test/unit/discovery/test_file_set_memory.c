/* Each allocation in turn fails: nothing is lost by it, and the next reading makes up for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "discovery/file_set.h"
#include "failing.h"

static const char *const patterns[] = {"*.json", "*.yml"};

static void assert_found(const struct file_set_answer *answer, const char *expected)
{
    char line[1024] = "";
    for (size_t n = 0; n < answer->found.count; n++)
        sprintf(line + strlen(line), "%s ", answer->found.targets[n].address);
    assert_string_equal(line, expected);
}

/* Whether the allocation that was to fail has been reached. */
static bool read_with_failure(struct file_set *set, unsigned number)
{
    struct file_set_answer answer;
    allocations = 0;
    failing = number;
    file_set_read(set, &answer);
    failing = 0;
    bool reached = allocations >= number;
    if (answer.broken == 0 && answer.changed) assert_found(&answer, "a b x ");
    assert_int_equal(answer.broken > 0, reached);
    file_set_answer_deinit(&answer);
    return reached;
}

static void open_set(struct file_set *set)
{
    struct buffer error;
    buffer_init(&error, 1024);
    assert_int_equal(file_set_init(set, patterns, 2, directory, &error), 0);
}

static void test_first_reading(void **state)
{
    (void) state;
    bool reached = true;
    for (unsigned number = 1; reached; number++) {
        struct file_set_answer answer;
        struct file_set set;
        open_set(&set);
        reached = read_with_failure(&set, number);
        file_set_read(&set, &answer);
        assert_int_equal(answer.broken, 0);
        if (answer.changed) assert_found(&answer, "a b x ");
        assert_true(set.answered);
        file_set_answer_deinit(&answer);
        file_set_deinit(&set);
        assert_true(!reached || number < 500);
    }
}

static void test_init(void **state)
{
    (void) state;
    struct file_set set;
    struct buffer error;
    int result = -1;
    for (unsigned number = 1; result < 0; number++) {
        buffer_init(&error, 1024);
        allocations = 0;
        failing = number;
        result = file_set_init(&set, patterns, 2, directory, &error);
        failing = 0;
        file_set_deinit(&set);
        assert_true(number < 50);
    }
}

static void test_directories(void **state)
{
    (void) state;
    struct file_set set;
    struct paths directories;
    int result = -1;
    open_set(&set);
    for (unsigned number = 1; result < 0; number++) {
        paths_init(&directories);
        allocations = 0;
        failing = number;
        result = file_set_directories(&set, &directories);
        failing = 0;
        assert_true(number < 50);
        if (result == 0) assert_int_equal(directories.count, 1);
        paths_deinit(&directories);
    }
    file_set_deinit(&set);
}

static int set_up(void **state)
{
    (void) state;
    directory_open();
    write_file("1.json", "[{\"targets\": [\"a\", \"b\"], \"labels\": {\"zone\": \"z\"}}]");
    write_file("2.yml", "- targets: [x]\n");
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    directory_close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_directories),
        cmocka_unit_test(test_first_reading),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
