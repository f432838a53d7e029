/* The messages that an exposition becomes, byte for byte where that is telling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/remote_write.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct remote_write_label external[] = {{"job", "j"}, {"instance", "here"}};

/* --- Reading messages --- */

static uint64_t read_varint(struct slice *rest)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        assert_true(rest->len > 0);
        unsigned char byte = (unsigned char) rest->data[0];
        *rest = slice_from(*rest, 1);
        value |= (uint64_t) (byte & 0x7f) << shift;
        if (byte < 0x80) return value;
    }
}

static struct slice read_field(struct slice *rest, unsigned field)
{
    assert_int_equal(read_varint(rest), field << 3 | 2);
    size_t len = read_varint(rest);
    assert_true(len <= rest->len);
    struct slice found = {rest->data, len};
    *rest = slice_from(*rest, len);
    return found;
}

/* Appends "a=b,c=d value time\n" for each series of a message. */
static void append_readable(struct buffer *out, struct slice message)
{
    while (message.len) {
        struct slice series = read_field(&message, 1);
        while (series.data[0] == (1 << 3 | 2)) {
            struct slice label = read_field(&series, 1);
            struct slice name = read_field(&label, 1), value = read_field(&label, 2);
            assert_int_equal(label.len, 0);
            buffer_printf(out, "%.*s=%.*s,", SLICE_ARG(name), SLICE_ARG(value));
        }
        struct slice sample = read_field(&series, 2);
        uint64_t bits;
        double value;
        assert_int_equal(series.len, 0);
        assert_int_equal(sample.data[0], 1 << 3 | 1);
        memcpy(&bits, sample.data + 1, sizeof(bits));
        memcpy(&value, &bits, sizeof(value));
        sample = slice_from(sample, 9);
        assert_int_equal(read_varint(&sample), 2 << 3);
        if (bits == UINT64_C(0x7ff0000000000002))
            buffer_append_string(out, " stale");
        else
            buffer_printf(out, " %.17g", value);
        buffer_printf(out, " %llu\n", (unsigned long long) read_varint(&sample));
        assert_int_equal(sample.len, 0);
    }
}

/* Turns one exposition into messages. The caller frees their readable form; `messages` counts them. */
static char *convert(struct remote_write *write, const char *text, int64_t time_ms, size_t *messages)
{
    struct slice rest = slice_of(text);
    struct buffer message, out;
    bool more = true, ends = false;
    buffer_init(&message, SIZE_MAX / 2);
    buffer_init(&out, SIZE_MAX / 2);
    remote_write_begin(write, time_ms);
    for (*messages = 0; more;) {
        bool full = ends ? false : remote_write_take(write, &rest, &message);
        if (!full) {
            ends = true;
            full = remote_write_end(write, &message);
            more = full;
        }
        *messages += message.len > 0;
        append_readable(&out, buffer_slice(&message));
        buffer_clear(&message);
    }
    buffer_append_char(&out, '\0');
    buffer_deinit(&message);
    return out.data;
}

static void expect(struct remote_write *write, const char *text, int64_t time_ms, const char *expected)
{
    size_t messages;
    char *got = convert(write, text, time_ms, &messages);
    assert_string_equal(got, expected);
    free(got);
}

/* --- Tests --- */

static void test_lines(void **state)
{
    struct remote_write write;
    (void) state;
    remote_write_init(&write, external, 2);
    expect(&write,
           "# HELP a b\n# TYPE a gauge\na 1\n"
           "up_to{z=\"1\",b=\"x,y={}\\\"\\\\\\n\",instance=\"own\",empty=\"\"} 2.5e-05\n"
           "h_bucket{le=\"+Inf\"} +Inf\nn -Inf\nq NaN\n"
           "broken{a=\"1\n broken\nbroken{a=1} 1\nbroken x\n",
           1700000000123,
           "__name__=a,instance=here,job=j, 1 1700000000123\n"
           "__name__=up_to,b=x,y={}\"\\\n,instance=own,job=j,z=1, 2.5000000000000001e-05 1700000000123\n"
           "__name__=h_bucket,instance=here,job=j,le=+Inf, inf 1700000000123\n"
           "__name__=n,instance=here,job=j, -inf 1700000000123\n"
           "__name__=q,instance=here,job=j, nan 1700000000123\n");
    assert_int_equal(write.skipped, 4);
    remote_write_deinit(&write);
}

/* What is gone is marked once. What comes back and goes again is marked again. */
static void test_stale_series(void **state)
{
    struct remote_write write;
    (void) state;
    remote_write_init(&write, NULL, 0);
    expect(&write, "a 1\nb{x=\"1\"} 2\n", 1, "__name__=a, 1 1\n__name__=b,x=1, 2 1\n");
    expect(&write, "a 1\n", 2, "__name__=a, 1 2\n__name__=b,x=1, stale 2\n");
    expect(&write, "a 1\n", 3, "__name__=a, 1 3\n");
    expect(&write, "a 1\nb{x=\"1\"} 2\n", 4, "__name__=a, 1 4\n__name__=b,x=1, 2 4\n");
    expect(&write, "b{x=\"1\"} 2\n", 5, "__name__=b,x=1, 2 5\n__name__=a, stale 5\n");
    remote_write_deinit(&write);
}

/* An exposition that breaks off marks nothing. */
static void test_broken_off(void **state)
{
    struct remote_write write;
    struct buffer message;
    struct slice text = SLICE("b 1\nhalf of a li");
    (void) state;
    remote_write_init(&write, NULL, 0);
    buffer_init(&message, 4096);
    expect(&write, "a 1\n", 1, "__name__=a, 1 1\n");
    remote_write_begin(&write, 2);
    assert_false(remote_write_take(&write, &text, &message));
    assert_true(slice_is(text, "half of a li"));
    expect(&write, "a 1\nb 1\n", 3, "__name__=a, 1 3\n__name__=b, 1 3\n");
    buffer_deinit(&message);
    remote_write_deinit(&write);
}

/* Lines that no exposition has are left out, one by one, and nothing is read behind their end. */
static void test_lines_that_cannot_be_read(void **state)
{
    static const char *const lines[] = {
        "a",           " 1",         "{a=\"b\"} 1", "a ",         "a{",        "a{b",
        "a{b=",        "a{b=\"",     "a{b=\"\\",    "a{b=\"\\\"", "a{b=\"c\"", "a{b=\"c\"}",
        "a{b=\"c\"}1", "a{b=\"c\",", "a{b=c} 1",    "a Inf",
    };
    struct remote_write write;
    (void) state;
    remote_write_init(&write, external, 2);
    for (unsigned n = 0; n < sizeof(lines) / sizeof(lines[0]); n++) {
        char text[64];
        size_t messages;
        snprintf(text, sizeof(text), "%s\n", lines[n]);
        char *got = convert(&write, text, n, &messages);
        if (write.skipped != n + 1 || *got) fail_msg("taken: %s", lines[n]);
        free(got);
    }
    remote_write_deinit(&write);
}

/* A series with more labels than a message holds is left out, also if only the added labels are too many. */
static void test_too_many_labels(void **state)
{
    struct remote_write write;
    (void) state;
    remote_write_init(&write, external, 2);
    for (size_t labels = REMOTE_WRITE_LABELS - 4; labels <= REMOTE_WRITE_LABELS; labels++) {
        unsigned skipped = write.skipped;
        size_t messages;
        struct buffer text;
        buffer_init(&text, 65536);
        buffer_append_string(&text, "a{");
        for (size_t n = 0; n < labels; n++) buffer_printf(&text, "l%zu=\"x\",", n);
        buffer_append_string(&text, "} 1\n");
        buffer_append_char(&text, '\0');
        free(convert(&write, text.data, 1, &messages));
        /* The name of the metric is a label, too, and `external` has two. */
        assert_int_equal(write.skipped - skipped, labels + 3 > REMOTE_WRITE_LABELS);
        buffer_deinit(&text);
    }
    remote_write_deinit(&write);
}

/* Messages are bounded, those with staleness markers too. */
static void test_many_series(void **state)
{
    const size_t count = 3 * REMOTE_WRITE_SERIES + 7;
    struct remote_write write;
    struct buffer text;
    size_t messages;
    (void) state;
    buffer_init(&text, SIZE_MAX / 2);
    for (size_t n = 0; n < count; n++) buffer_printf(&text, "m{n=\"%zu\"} %zu\n", n, n);
    buffer_append_char(&text, '\0');
    remote_write_init(&write, NULL, 0);
    for (int round = 0; round < 3; round++) {
        free(convert(&write, text.data, round, &messages));
        assert_int_equal(messages, 4);
    }
    assert_int_equal(write.table_used, count);
    char *stale = convert(&write, "", 9, &messages);
    assert_int_equal(messages, 4);
    size_t marked = 0;
    for (const char *at = stale; (at = strstr(at, " stale 9\n")); at++) marked++;
    assert_int_equal(marked, count);
    assert_int_equal(write.table_used, 0);
    free(stale);
    buffer_deinit(&text);
    remote_write_deinit(&write);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),           cmocka_unit_test(test_stale_series),
        cmocka_unit_test(test_broken_off),      cmocka_unit_test(test_lines_that_cannot_be_read),
        cmocka_unit_test(test_too_many_labels), cmocka_unit_test(test_many_series),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
