/* Samples of a series are written as the encoder writes samples of the same labels, in every format. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/encoder.h"

#include <stdio.h>
#include <string.h>

#define CAP 65536

static const char digits[] = "9223372036854775809718281828459045235360287471352662497757247093699959574";

/* The labels of a line as one set: a="1",number="7",b="2". */
static struct slice whole_set(const struct series_parts *parts, uint32_t number, char text[512])
{
    const char *comma = parts->before.len && parts->number.len ? "," : "";
    if (!parts->number.len) return parts->before;
    snprintf(text, 512, "%.*s%s%.*s=\"%u\"%s%.*s", SLICE_ARG(parts->before), comma, SLICE_ARG(parts->number),
             number, parts->after.len ? "," : "", SLICE_ARG(parts->after));
    return slice_of(text);
}

static void write_series(enum format format, const struct series_parts *parts, struct slice target,
                         uint32_t number, struct slice value, struct buffer *out)
{
    struct family family = FAMILY(parts->name, "Help.", METRIC_GAUGE);
    struct arena arena;
    struct buffer texts;
    struct encoder encoder;
    arena_init(&arena);
    buffer_init(&texts, series_size(parts));
    assert_non_null(buffer_reserve(&texts, series_size(parts)));
    encoder_init(&encoder, format, SLICE(""));
    encoder_set_out(&encoder, out);
    struct series series = series_make(encoder.form, parts, &texts);
    struct slice labels = encoder_target_labels(&encoder, target, &arena);
    encoder_family(&encoder, &family);
    struct encoder_run run = encoder_run_begin(&encoder, SERIES_LINE_MOST + target.len, SIZE_MAX);
    encoder_run_sample(&run, &series, labels, number, value);
    encoder_run_end(run);
    encoder_finish(&encoder);
    encoder_deinit(&encoder);
    arena_deinit(&arena);
    buffer_deinit(&texts);
}

static void compare_samples(enum format format, const struct series_parts *parts, struct slice target,
                            uint32_t number, struct slice value)
{
    char set[512];
    struct family family = FAMILY(parts->name, "Help.", METRIC_GAUGE);
    struct buffer written, expected;
    struct encoder encoder;
    buffer_init(&written, CAP);
    buffer_init(&expected, CAP);
    encoder_init(&encoder, format, SLICE(""));
    encoder_set_out(&encoder, &expected);
    encoder_family(&encoder, &family);
    encoder_sample(&encoder, target, whole_set(parts, number, set), value);
    encoder_finish(&encoder);
    encoder_deinit(&encoder);

    write_series(format, parts, target, number, value, &written);
    assert_int_equal(written.len, expected.len);
    assert_memory_equal(written.data, expected.data, expected.len);
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
                                          "instance=\"cache-17.example.org:11211\",zone=\"e\\\\u\""};
    static const uint32_t numbers[] = {0, 9, 10, 63, 100, UINT32_MAX};
    static const size_t lens[] = {1, 2, 3, 4, 7, 8, 15, 16, 17, 19, 20, 31, 32, 33, 64};
    for (size_t n = 0; n < 3 * 3 * 3 * 3 * ARRAY_LEN(numbers) * FORMAT_COUNT; n++) {
        struct series_parts parts = {names[n % 3], slice_of(befores[n / 3 % 3]), SLICE("slab"),
                                     slice_of(afters[n / 9 % 3])};
        struct slice target = slice_of(targets[n / 27 % 3]);
        struct slice value = {digits, lens[n % ARRAY_LEN(lens)]};
        enum format format = (enum format)(n % FORMAT_COUNT);
        compare_samples(format, &parts, target, numbers[n / 81 % ARRAY_LEN(numbers)], value);
        parts.number = parts.after = SLICE("");
        compare_samples(format, &parts, target, 0, value);
    }
}

/* Several in one buffer, as a collector makes them: none writes over another. */
static void test_texts_are_apart(void **state)
{
    (void) state;
    static const struct series_parts parts[] = {
        {"a", {"", 0}, {"", 0}, {"", 0}},
        {"b", {"", 0}, {"n", 1}, {"", 0}},
        {"c", {"x=\"1\"", 5}, {"n", 1}, {"y=\"2\"", 5}},
    };
    struct series series[ARRAY_LEN(parts)];
    struct buffer texts;
    static const char spare[2][32] = {"i=\"h\"", "5"};
    const struct slice target = slice_of(spare[0]), value = slice_of(spare[1]);
    char line[256];
    size_t size = 0;
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) size += series_size(&parts[n]);
    buffer_init(&texts, size);
    assert_non_null(buffer_reserve(&texts, size));
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) series[n] = series_make(SERIES_LINE, &parts[n], &texts);
    static const char *const expected[] = {"a{i=\"h\"} 5\n", "b{i=\"h\",n=\"12\"} 5\n",
                                           "c{i=\"h\",x=\"1\",n=\"12\",y=\"2\"} 5\n"};
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) {
        *series_put_line(line, &series[n], target, 12, value) = '\0';
        assert_string_equal(line, expected[n]);
    }
    buffer_deinit(&texts);
}

static void test_no_room(void **state)
{
    (void) state;
    struct series_parts parts = {"a", SLICE(""), SLICE(""), SLICE("")};
    struct buffer out;
    for (enum format format = 0; format < FORMAT_COUNT; format++) {
        buffer_init(&out, 8);
        write_series(format, &parts, SLICE(""), 0, SLICE("1"), &out);
        assert_true(out.failed);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_combinations),
        cmocka_unit_test(test_texts_are_apart),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
