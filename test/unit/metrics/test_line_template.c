/* A template makes the lines that an encoder makes of the same parts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/encoder.h"
#include "metrics/line_template.h"

#include <stdio.h>
#include <string.h>

#define CAP 65536

static const char long_text[] =
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz";

/* The labels of a line as one set: a="1",number="7",b="2". */
static struct slice whole_set(const struct line_parts *parts, uint32_t number, char text[512])
{
    const char *comma = parts->before.len && parts->number.len ? "," : "";
    if (!parts->number.len) return parts->before;
    snprintf(text, 512, "%.*s%s%.*s=\"%u\"%s%.*s", SLICE_ARG(parts->before), comma, SLICE_ARG(parts->number),
             number, parts->after.len ? "," : "", SLICE_ARG(parts->after));
    return slice_of(text);
}

static void compare_lines(const struct line_parts *parts, struct slice target, uint32_t number,
                          struct slice value)
{
    char set[512];
    struct family family = FAMILY(parts->name, "Help.", METRIC_GAUGE);
    struct buffer texts, written, expected;
    struct encoder encoder;
    buffer_init(&texts, line_template_size(parts));
    buffer_init(&written, CAP);
    buffer_init(&expected, CAP);
    assert_non_null(buffer_reserve(&texts, line_template_size(parts)));
    struct line_template template = line_template_make(parts, &texts);

    encoder_init(&encoder, FORMAT_TEXT, SLICE(""));
    encoder_set_out(&encoder, &expected);
    encoder_family(&encoder, &family);
    encoder_sample(&encoder, target, whole_set(parts, number, set), value);
    encoder_deinit(&encoder);

    encoder_init(&encoder, FORMAT_TEXT, SLICE(""));
    encoder_set_out(&encoder, &written);
    encoder_family(&encoder, &family);
    assert_ptr_equal(encoder_lines(&encoder), &written);
    line_template_append(&template, &written, target, number, value);
    encoder_deinit(&encoder);

    assert_int_equal(written.len, expected.len);
    assert_memory_equal(written.data, expected.data, expected.len);
    buffer_deinit(&texts);
    buffer_deinit(&written);
    buffer_deinit(&expected);
}

static void test_all_combinations(void **state)
{
    (void) state;
    static const char *const names[] = {"a", "memcached_items_total",
                                        "memcached_a_very_long_name_of_a_metric_that_has_many_words_total"};
    static const char *const befores[] = {"", "a=\"1\"",
                                          "command=\"get\",status=\"hit\",reason=\"none at all\""};
    static const char *const afters[] = {"", "z=\"2\"", "status=\"hit\",zone=\"a longer one than others\""};
    static const char *const targets[] = {"", "i=\"a\"",
                                          "instance=\"cache-17.example.org:11211\",zone=\"eu\""};
    static const uint32_t numbers[] = {0, 9, 10, 63, 100, UINT32_MAX};
    static const size_t lens[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 20, 31, 32, 33, 64};
    for (size_t n = 0; n < 3 * 3 * 3 * 3 * ARRAY_LEN(numbers); n++) {
        struct line_parts parts = {names[n % 3], slice_of(befores[n / 3 % 3]), SLICE("slab"),
                                   slice_of(afters[n / 9 % 3])};
        struct slice target = slice_of(targets[n / 27 % 3]);
        struct slice value = {long_text, lens[n % ARRAY_LEN(lens)]};
        compare_lines(&parts, target, numbers[n / 81], value);
        parts.number = parts.after = SLICE("");
        compare_lines(&parts, target, 0, value);
    }
}

/* Several in one buffer, as a collector makes them: none writes over another. */
static void test_texts_are_apart(void **state)
{
    (void) state;
    static const struct line_parts parts[] = {
        {"a", {"", 0}, {"", 0}, {"", 0}},
        {"b", {"", 0}, {"n", 1}, {"", 0}},
        {"c", {"x=\"1\"", 5}, {"n", 1}, {"y=\"2\"", 5}},
    };
    struct line_template templates[ARRAY_LEN(parts)];
    struct buffer texts, out;
    size_t size = 0;
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) size += line_template_size(&parts[n]);
    buffer_init(&texts, size);
    buffer_init(&out, CAP);
    assert_non_null(buffer_reserve(&texts, size));
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) templates[n] = line_template_make(&parts[n], &texts);
    for (size_t n = 0; n < ARRAY_LEN(parts); n++)
        line_template_append(&templates[n], &out, SLICE("i=\"h\""), 12, SLICE("5"));
    buffer_append_char(&out, '\0');
    assert_string_equal(out.data,
                        "a{i=\"h\"} 5\nb{i=\"h\",n=\"12\"} 5\nc{i=\"h\",x=\"1\",n=\"12\",y=\"2\"} 5\n");
    buffer_deinit(&texts);
    buffer_deinit(&out);
}

static void test_no_room(void **state)
{
    (void) state;
    struct line_parts parts = {"a", SLICE(""), SLICE(""), SLICE("")};
    struct buffer texts, out;
    buffer_init(&texts, line_template_size(&parts));
    buffer_init(&out, 8);
    assert_non_null(buffer_reserve(&texts, line_template_size(&parts)));
    struct line_template template = line_template_make(&parts, &texts);
    line_template_append(&template, &out, SLICE(""), 0, SLICE("1"));
    assert_true(out.failed);
    assert_int_equal(out.len, 0);
    buffer_deinit(&texts);
    buffer_deinit(&out);
}

/* Formats without such lines, families that are not wanted, collectors with labels of their own. */
static void test_not_taken(void **state)
{
    (void) state;
    struct family family = FAMILY("a", "Help.", METRIC_GAUGE);
    struct encoder encoder;
    struct buffer out;
    buffer_init(&out, CAP);
    encoder_init(&encoder, FORMAT_PROTOBUF, SLICE(""));
    encoder_set_out(&encoder, &out);
    encoder_family(&encoder, &family);
    assert_null(encoder_lines(&encoder));
    encoder_deinit(&encoder);

    encoder_init(&encoder, FORMAT_OPENMETRICS, SLICE("other"));
    encoder_set_out(&encoder, &out);
    encoder_family(&encoder, &family);
    assert_null(encoder_lines(&encoder));
    encoder_deinit(&encoder);

    encoder_init(&encoder, FORMAT_OPENMETRICS, SLICE(""));
    encoder_set_out(&encoder, &out);
    encoder.constant_labels = SLICE("a=\"1\"");
    encoder_family(&encoder, &family);
    assert_null(encoder_lines(&encoder));
    encoder_deinit(&encoder);
    assert_int_equal(out.len, 0);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_combinations),
        cmocka_unit_test(test_texts_are_apart),
        cmocka_unit_test(test_no_room),
        cmocka_unit_test(test_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
