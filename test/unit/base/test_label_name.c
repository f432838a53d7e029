/* Which names Prometheus takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/label_name.h"

static void test_metric_names(void **unused)
{
    static const char *const valid[] = {"a", "A", "_", ":", "_a", ":a", "a9", "a_b:c", "Z_0", "__a"};
    static const char *const invalid[] = {"",    "9",  "9a", "a-b",      "a b",  "a.b",
                                          "a\n", " a", "a{", "\xc3\xa9", "a\xff"};
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        if (!metric_name_is_valid(slice_of(valid[i]))) fail_msg("refused: '%s'", valid[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        if (metric_name_is_valid(slice_of(invalid[i]))) fail_msg("accepted: '%s'", invalid[i]);
    }
}

static void test_label_names(void **unused)
{
    static const char *const valid[] = {"a", "A", "_", "_a", "a9", "a_b", "a__b", "Z_0"};
    static const char *const invalid[] = {"",    "9a", "a-b", "a:b",      ":",       "a b",
                                          "a\"", "__", "__a", "__name__", "\xc3\xa9"};
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(valid); i++) {
        if (!label_name_is_valid(slice_of(valid[i]))) fail_msg("refused: '%s'", valid[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(invalid); i++) {
        if (label_name_is_valid(slice_of(invalid[i]))) fail_msg("accepted: '%s'", invalid[i]);
    }
}

/* Every one of the 128 characters, at the start and behind it. */
static void test_names_of_every_character(void **unused)
{
    (void) unused;
    for (int c = 1; c < 128; c++) {
        char first[] = {(char) c, 'x', '\0'}, second[] = {'x', (char) c, '\0'};
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        bool digit = c >= '0' && c <= '9';
        assert_int_equal(label_name_is_valid(slice_of(first)), letter);
        assert_int_equal(label_name_is_valid(slice_of(second)), letter || digit);
        assert_int_equal(metric_name_is_valid(slice_of(first)), letter || c == ':');
        assert_int_equal(metric_name_is_valid(slice_of(second)), letter || digit || c == ':');
    }
}

static void test_nul_is_no_part_of_a_name(void **unused)
{
    (void) unused;
    assert_false(label_name_is_valid(SLICE("a\0b")));
    assert_false(metric_name_is_valid(SLICE("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metric_names),
        cmocka_unit_test(test_label_names),
        cmocka_unit_test(test_names_of_every_character),
        cmocka_unit_test(test_nul_is_no_part_of_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
