#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/file_stamp.h"

#include "directory.h"

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

/* A stamp that can be relied on, which a file has when it was not changed just now. */
static struct file_stamp sure_stamp(const char *name)
{
    struct file_stamp stamp = file_stamp_take(path_of(name));
    for (unsigned n = 0; stamp.unsure && n < 1000; n++) {
        usleep(5000);
        stamp = file_stamp_take(path_of(name));
    }
    assert_false(stamp.unsure);
    return stamp;
}

static void test_a_file_at_rest(void **state)
{
    (void) state;
    write_file("a", "one");
    struct file_stamp stamp = sure_stamp("a");
    assert_int_equal(stamp.error, 0);
    assert_int_equal(stamp.size, 3);
    assert_true(file_stamp_holds(&stamp, path_of("a")));
}

static void test_changes(void **state)
{
    (void) state;
    write_file("a", "one");
    struct file_stamp stamp = sure_stamp("a");
    write_file("a", "two"); /* of the same length */
    assert_false(file_stamp_holds(&stamp, path_of("a")));
    stamp = sure_stamp("a");
    write_file("b", "two");
    assert_int_equal(rename(path_of("b"), path_of("a")), 0);
    assert_false(file_stamp_holds(&stamp, path_of("a")));
    stamp = sure_stamp("a");
    assert_int_equal(chmod(path_of("a"), 0600), 0);
    assert_false(file_stamp_holds(&stamp, path_of("a")));
}

static void test_a_file_that_changed_just_now(void **state)
{
    (void) state;
    write_file("a", "one");
    struct file_stamp stamp = file_stamp_take(path_of("a"));
    if (stamp.unsure) assert_false(file_stamp_holds(&stamp, path_of("a")));
    assert_true(file_stamp_is_younger(&stamp, 60000));
    sure_stamp("a");
    assert_false(file_stamp_is_younger(&stamp, 1));
}

static void test_a_missing_file(void **state)
{
    (void) state;
    struct file_stamp stamp = file_stamp_take(path_of("a"));
    assert_true(stamp.error != 0);
    assert_true(file_stamp_holds(&stamp, path_of("a")));
    assert_false(file_stamp_is_younger(&stamp, 60000));
    write_file("a", "");
    assert_false(file_stamp_holds(&stamp, path_of("a")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_file_at_rest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_changed_just_now, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_missing_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
