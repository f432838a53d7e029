/* What was rendered is read back byte for byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/labels.h"

#include <stdlib.h>

static void expect_next(struct slice *labels, const char *name, const char *value)
{
    struct label label;
    struct buffer out;
    buffer_init(&out, 1024);
    assert_true(labels_next(labels, &label));
    assert_true(slice_is(label.name, name));
    label_append_value(&out, &label);
    assert_true(slice_is(buffer_slice(&out), value));
    buffer_deinit(&out);
}

static void test_reads_what_was_rendered(void **state)
{
    static const char *const values[] = {"1",  "",          "a\"b", "a\\",      "\\n",
                                         "\n", "a,b=\"c\"", "\\\"", "\xc3\xa9", "n"};
    struct buffer rendered;
    (void) state;
    buffer_init(&rendered, 4096);
    for (size_t n = 0; n < sizeof(values) / sizeof(*values); n++)
        labels_append(&rendered, "name", slice_of(values[n]));
    struct slice labels = buffer_slice(&rendered);
    for (size_t n = 0; n < sizeof(values) / sizeof(*values); n++) expect_next(&labels, "name", values[n]);
    assert_int_equal(labels.len, 0);
    buffer_deinit(&rendered);
}

static void test_names(void **state)
{
    struct slice labels = SLICE("a=\"1\",bc=\"2\"");
    struct label label;
    (void) state;
    expect_next(&labels, "a", "1");
    expect_next(&labels, "bc", "2");
    assert_false(labels_next(&labels, &label));
}

/* Nothing is read behind what is no label, nor behind the end. */
static void test_malformed(void **state)
{
    static const char *const rows[] = {"",      "a",       "a=",        "a=1", "a=\"",
                                       "a=\"1", "a=\"1\\", "a=\"1\\\"", ",",   "\""};
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(*rows); n++) {
        size_t len = strlen(rows[n]);
        char *copy = malloc(len + (len == 0));
        struct slice labels = {copy, len};
        struct label label;
        assert_non_null(copy);
        memcpy(copy, rows[n], len);
        assert_false(labels_next(&labels, &label));
        assert_int_equal(labels.len, 0);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_was_rendered),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_malformed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
