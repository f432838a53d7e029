#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/name_set.h"

#include <stdio.h>
#include <string.h>

static void test_names_become_valid(void **state)
{
    static const struct {
        struct slice name;
        const char *valid;
    } names[] = {
        {SLICE(""), ""},
        {SLICE("plain \"\\{}"), "plain \"\\{}"},
        {SLICE("\xc3\xa9"), "\xc3\xa9"},
        {SLICE("\xff\xc3\xa9"), "\xef\xbf\xbd\xc3\xa9"},
        {SLICE("cut \xe2\x82"), "cut \xef\xbf\xbd\xef\xbf\xbd"},
    };
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        struct buffer out;
        buffer_init(&out, 256);
        name_append(&out, names[n].name);
        assert_true(slice_is(buffer_slice(&out), names[n].valid));
        buffer_deinit(&out);
    }
}

static void test_order(void **state)
{
    (void) state;
    assert_int_equal(name_compare(SLICE("a"), SLICE("a")), 0);
    assert_int_equal(name_compare(SLICE(""), SLICE("")), 0);
    assert_true(name_compare(SLICE(""), SLICE("a")) < 0);
    assert_true(name_compare(SLICE("ab"), SLICE("a")) > 0);
    assert_true(name_compare(SLICE("a"), SLICE("b")) < 0);
    assert_true(name_compare(SLICE("\xff"), SLICE("a")) > 0);
}

static void test_set_finds_what_it_has(void **state)
{
    struct name_set set = {0};
    (void) state;
    unsigned empty = name_set_place(&set, SLICE("")), tcp = name_set_place(&set, SLICE("tcp:1"));
    assert_int_not_equal(empty, tcp);
    assert_int_equal(name_set_place(&set, SLICE("")), empty);
    assert_int_equal(name_set_place(&set, SLICE("tcp:1")), tcp);
    assert_int_not_equal(name_set_place(&set, SLICE("tcp:")), tcp);
    assert_true(slice_is(name_set_at(&set, tcp), "tcp:1"));
    assert_true(slice_is(name_set_at(&set, empty), ""));
}

/* Two names that make one label value have one place. */
static void test_set_holds_label_values(void **state)
{
    struct name_set set = {0};
    (void) state;
    unsigned place = name_set_place(&set, SLICE("x\xff"));
    assert_int_equal(name_set_place(&set, SLICE("x\xfe")), place);
    assert_true(slice_is(name_set_at(&set, place), "x\xef\xbf\xbd"));
    assert_int_equal(name_set_place(&set, SLICE("other")), NAME_SET_REST);
}

static void test_long_names_are_cut_between_characters(void **state)
{
    struct name_set set = {0};
    char name[200];
    (void) state;
    memset(name, 'a', sizeof(name));
    memcpy(name + NAME_LEN_MAX - 1, "\xc3\xa9", 2);
    unsigned place = name_set_place(&set, (struct slice){name, sizeof(name)});
    assert_int_equal(name_set_at(&set, place).len, NAME_LEN_MAX - 1);
}

static void test_full_set(void **state)
{
    struct name_set set = {0};
    char name[16];
    (void) state;
    for (unsigned n = 0; n < NAME_SET_MAX + 10; n++) {
        snprintf(name, sizeof(name), "n%u", n);
        unsigned place = name_set_place(&set, slice_of(name));
        assert_int_equal(place, n < NAME_SET_MAX ? n : NAME_SET_REST);
        assert_true(slice_is(name_set_at(&set, place), n < NAME_SET_MAX ? name : "other"));
    }
    assert_int_equal(name_set_place(&set, SLICE("n3")), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_become_valid),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_set_finds_what_it_has),
        cmocka_unit_test(test_set_holds_label_values),
        cmocka_unit_test(test_long_names_are_cut_between_characters),
        cmocka_unit_test(test_full_set),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
