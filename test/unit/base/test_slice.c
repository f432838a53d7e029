#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/slice.h"

static void compares(void **state)
{
    struct slice none = {NULL, 0};
    (void) state;
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_equal(none, SLICE("")));
    assert_true(slice_is(SLICE("ab"), "ab"));
    assert_false(slice_is(SLICE("ab"), "a"));
    assert_false(slice_is(SLICE("ab"), "AB"));
    assert_false(slice_is(SLICE("a\0"), "a"));
    assert_true(slice_is(none, ""));
    assert_true(slice_is_nocase(SLICE("Gzip"), "gZIP"));
    assert_false(slice_is_nocase(SLICE("gzip"), "gzi"));
    assert_false(slice_is_nocase(SLICE("gzip"), "gzix"));
    assert_true(slice_is_nocase(none, ""));
    assert_true(slice_is(slice_of("ab"), "ab"));
}

static void knows_its_beginning_and_end(void **state)
{
    struct slice none = {NULL, 0};
    (void) state;
    assert_true(slice_starts(SLICE("abc"), "ab"));
    assert_true(slice_starts(SLICE("ab"), "ab"));
    assert_true(slice_starts(SLICE("ab"), ""));
    assert_false(slice_starts(SLICE("a"), "ab"));
    assert_false(slice_starts(SLICE("xb"), "ab"));
    assert_false(slice_starts(none, "a"));
    assert_true(slice_ends(SLICE("abc"), "bc"));
    assert_true(slice_ends(SLICE("bc"), "bc"));
    assert_false(slice_ends(SLICE("c"), "bc"));
    assert_false(slice_ends(SLICE("bcx"), "bc"));
    assert_false(slice_ends(none, "a"));
    assert_true(slice_is(slice_from(SLICE("abc"), 1), "bc"));
    assert_true(slice_is(slice_from(SLICE("abc"), 3), ""));
}

static const struct {
    struct slice text;
    const char *pieces[4]; /* ends with NULL */
} cuts[] = {
    {SLICE("a,b,c"), {"a", "b", "c"}}, {SLICE("a"), {"a"}},    {SLICE("a,"), {"a", ""}},
    {SLICE(",a"), {"", "a"}},          {SLICE(","), {"", ""}}, {SLICE(""), {""}},
    {SLICE("a,,b"), {"a", "", "b"}},   {{NULL, 0}, {NULL}},
};

static void cuts_at_each_separator(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct slice rest = cuts[i].text;
        size_t count = 0;
        while (rest.data) {
            struct slice piece = slice_cut(&rest, ',');
            assert_non_null(cuts[i].pieces[count]);
            assert_true(slice_is(piece, cuts[i].pieces[count]));
            count++;
        }
        assert_null(cuts[i].pieces[count]);
    }
}

static void cutting_nothing_gives_nothing(void **state)
{
    struct slice rest = {NULL, 0};
    (void) state;
    assert_int_equal(slice_cut(&rest, ',').len, 0);
    assert_null(rest.data);
}

static void trims_blanks_and_tabs(void **state)
{
    (void) state;
    assert_true(slice_is(slice_trim(SLICE(" \ta b\t ")), "a b"));
    assert_true(slice_is(slice_trim(SLICE("ab")), "ab"));
    assert_true(slice_is(slice_trim(SLICE("\r\n")), "\r\n"));
    assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
    assert_int_equal(slice_trim((struct slice){NULL, 0}).len, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(knows_its_beginning_and_end),
        cmocka_unit_test(cuts_at_each_separator),
        cmocka_unit_test(cutting_nothing_gives_nothing),
        cmocka_unit_test(trims_blanks_and_tabs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
