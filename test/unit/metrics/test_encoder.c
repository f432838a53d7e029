#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "data.h"
#include "metrics/encoder.h"

#include <math.h>
#include <time.h>

static const struct family up = {"memcached_up", "Whether it is up.", METRIC_GAUGE, "instance"};
static const struct family hits = {"memcached_hits_total", "Hits (stat get_hits).", METRIC_COUNTER,
                                   "slab,command"};
static const struct family read_bytes = {"memcached_read_bytes_total", "Bytes.", METRIC_COUNTER, ""};
static const struct family malloced = {"memcached_malloced_bytes", "A counter by another name.",
                                       METRIC_COUNTER, ""};
static const struct family uptime = {"memcached_uptime_seconds", "Uptime.", METRIC_GAUGE, ""};
static const struct family threads = {"memcached_threads", "Threads.", METRIC_GAUGE, "slab"};
static const struct family empty = {"memcached_empty", "Never sampled.", METRIC_GAUGE, ""};
static const struct family state = {"memcached_target_state", "State.", METRIC_STATE_SET,
                                    "memcached_target_state"};
static const struct family build = {"memcached_build_info", "Build.", METRIC_INFO, "version"};
static const struct family other = {"memcached_unmapped_stat", "Unknown.", METRIC_UNKNOWN, ""};
static const struct family duration = {"memcached_duration_seconds", "Duration.", METRIC_HISTOGRAM, "kind"};
static const struct family drift = {"memcached_drift", "It has no sum.", METRIC_HISTOGRAM, ""};
static const struct family sizes = {"memcached_item_size_bytes", "Sizes.", METRIC_GAUGE_HISTOGRAM, "slab"};
static const struct family answers = {"memcached_answer_bytes", "Answers.", METRIC_SUMMARY, "kind"};

static const struct slice none = {"", 0};

/* --- One of everything --- */

static void write_numbers(struct encoder *encoder)
{
    encoder_family(encoder, &other);
    encoder_sample_double(encoder, none, none, 0.1);
    encoder_sample_double(encoder, none, none, 1e300);
    encoder_sample_double(encoder, none, none, INFINITY);
    encoder_sample_double(encoder, none, none, -INFINITY);
    encoder_sample_double(encoder, none, none, NAN);
}

static void write_plain(struct encoder *encoder)
{
    struct slice a = SLICE("instance=\"a:1\""), b = SLICE("instance=\"b:1\"");
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, a, none, 1);
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, b, none, 0);
    encoder_family(encoder, &empty);
    encoder_family(encoder, &hits);
    encoder_sample(encoder, a, SLICE("slab=\"1\",command=\"get\""), SLICE("18446744073709551615"));
    encoder_sample(encoder, none, SLICE("slab=\"2\""), SLICE("9007199254740993"));
    encoder_sample(encoder, none, none, SLICE("0.000001"));
    encoder_family(encoder, &read_bytes);
    encoder_sample_u64(encoder, none, none, 7);
    encoder_family(encoder, &malloced);
    encoder_sample_u64(encoder, none, none, 8);
    encoder_family(encoder, &uptime);
    encoder_sample_u64(encoder, none, none, 9);
    encoder_family(encoder, &state);
    encoder_sample_u64(encoder, none, SLICE("memcached_target_state=\"up\""), 1);
    encoder_sample_u64(encoder, none, SLICE("memcached_target_state=\"refused\""), 0);
    encoder_family(encoder, &build);
    encoder_sample_u64(encoder, none, SLICE("version=\"1\""), 1);
}

/* Two of its five buckets have an example, one of these without labels. */
static void write_histograms(struct encoder *encoder)
{
    static const double bounds[] = {0.005, 1, 10, 1e21}, negative[] = {-1, 0};
    static const uint64_t counts[] = {1, 2, 0, 3, 4}, few[] = {1, 0, 2};
    static const struct exemplar exemplars[5] = {
        [1] = {.value = 0.25, .timestamp = 1700000000.125, .labels_len = 12, .labels = "target=\"a:1\"rest"},
        [4] = {.value = INFINITY, .timestamp = 1},
    };
    struct histogram_view view = {bounds, counts, 4, 12.5, 1600000000.5, exemplars, NULL};
    struct slice a = SLICE("instance=\"a:1\""), get = SLICE("kind=\"get\"");
    encoder_family(encoder, &duration);
    encoder_histogram(encoder, a, get, &view);
    view.exemplars = NULL;
    view.created = 0;
    encoder_histogram(encoder, none, none, &view);
    encoder_family(encoder, &drift);
    encoder_histogram(encoder, none, none, &(struct histogram_view){negative, few, 2, NAN, 5, NULL, NULL});
    encoder_family(encoder, &sizes);
    encoder_histogram(encoder, none, SLICE("slab=\"1\""), &view);
    view.sum = NAN;
    encoder_histogram(encoder, none, SLICE("slab=\"2\""), &view);
}

static void write_summaries(struct encoder *encoder)
{
    static const double quantiles[] = {0, 0.5, 1};
    struct summary_view view = {quantiles, {1, 2.5, 1024}, 3, 18446744073709551615u, 1027.5, 1600000000};
    encoder_family(encoder, &answers);
    encoder_summary(encoder, SLICE("instance=\"a:1\""), SLICE("kind=\"get\""), &view);
    encoder_summary(encoder, none, none, &(struct summary_view){quantiles, {NAN, NAN, NAN}, 3, 0, 0, 0});
}

static void write_all(struct encoder *encoder)
{
    write_plain(encoder);
    write_numbers(encoder);
    write_histograms(encoder);
    encoder->constant_labels = SLICE("zone=\"z\"");
    write_summaries(encoder);
    encoder_family(encoder, &threads);
    encoder_sample_u64(encoder, none, none, 10);
    encoder_sample_u64(encoder, SLICE("instance=\"a:1\""), SLICE("slab=\"1\""), 11);
    encoder_finish(encoder);
}

/* What a filter lets through of it all, as a string that the caller frees. */
static char *encode(enum format format, struct slice filter)
{
    struct encoder encoder;
    struct buffer out;
    buffer_init(&out, 1 << 20);
    encoder_init(&encoder, format, filter);
    encoder_set_out(&encoder, &out);
    write_all(&encoder);
    encoder_deinit(&encoder);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static void expect_golden(enum format format, const char *name)
{
    struct slice golden = data_read(name);
    char *text = encode(format, none), *expected = strndup(golden.data, golden.len);
    assert_string_equal(text, expected);
    free(text);
    free(expected);
    free((char *) (uintptr_t) golden.data);
}

static void test_golden(void **unused)
{
    (void) unused;
    expect_golden(FORMAT_TEXT, "golden/encoder.prom");
    expect_golden(FORMAT_OPENMETRICS, "golden/encoder.om");
}

/* Each sample has the same name, labels and value in both formats; OpenMetrics only adds to them. */
static void test_formats_name_the_same_series(void **unused)
{
    char *text = encode(FORMAT_TEXT, none), *openmetrics = encode(FORMAT_OPENMETRICS, none);
    struct slice rest = slice_of(text), others = slice_of(openmetrics);
    (void) unused;
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n'), other_line;
        if (slice_starts(line, "#")) continue;
        do {
            assert_true(others.len > 0);
            other_line = slice_cut(&others, '\n');
        } while (slice_starts(other_line, "#") || memmem(other_line.data, other_line.len, "_created", 8));
        if (other_line.len > line.len) {
            assert_memory_equal(other_line.data + line.len, " # {", 4);
            other_line.len = line.len;
        }
        assert_true(slice_equal(line, other_line));
    }
    free(text);
    free(openmetrics);
}

/* --- The filter --- */

static size_t count_lines(const char *text, const char *start)
{
    size_t count = 0;
    for (struct slice rest = slice_of(text); rest.len;) count += slice_starts(slice_cut(&rest, '\n'), start);
    return count;
}

/* Only the families of that name are there, whole. */
static void expect_filtered(struct slice filter, const char *family, size_t samples)
{
    char *text = encode(FORMAT_TEXT, filter);
    size_t lines = count_lines(text, ""), headers = count_lines(text, "# ");
    if (lines != headers + samples) fail_msg("%zu samples expected in:\n%s", samples, text);
    if (count_lines(text, family) != samples) fail_msg("%zu of %s expected in:\n%s", samples, family, text);
    assert_int_equal(headers > 0, samples > 0);
    free(text);
}

/* A family is asked for by any name under which its samples are stored, and by its own. */
static void test_filter(void **unused)
{
    (void) unused;
    expect_filtered(SLICE("memcached_up\0"), "memcached_up", 2);
    expect_filtered(SLICE("memcached_up"), "memcached_up", 2);
    expect_filtered(SLICE("nothing\0memcached_up\0"), "memcached_up", 2);
    expect_filtered(SLICE("memcached_up\0memcached_up\0"), "memcached_up", 2);
    expect_filtered(SLICE("memcached_hits_total\0"), "memcached_hits_total", 3);
    expect_filtered(SLICE("memcached_hits\0"), "memcached_hits", 0);
    expect_filtered(SLICE("memcached_u\0"), "memcached_u", 0);
    expect_filtered(SLICE("memcached_up_count\0"), "memcached_up", 0);
    expect_filtered(SLICE("\0"), "memcached", 0);
    expect_filtered(SLICE("memcached_duration_seconds\0"), "memcached_duration_seconds", 14);
    expect_filtered(SLICE("memcached_duration_seconds_count\0"), "memcached_duration_seconds", 14);
    expect_filtered(SLICE("memcached_duration_seconds_bucket\0"), "memcached_duration_seconds", 14);
    expect_filtered(SLICE("memcached_duration_seconds_gcount\0"), "memcached_duration_seconds", 0);
    expect_filtered(SLICE("memcached_item_size_bytes_bucket\0"), "memcached_item_size_bytes", 10);
    expect_filtered(SLICE("memcached_item_size_bytes_sum\0"), "memcached_item_size_bytes", 0);
    expect_filtered(SLICE("memcached_answer_bytes\0"), "memcached_answer_bytes", 10);
    expect_filtered(SLICE("memcached_answer_bytes_sum\0"), "memcached_answer_bytes", 10);
    expect_filtered(SLICE("memcached_answer_bytes_bucket\0"), "memcached_answer_bytes", 0);
    expect_filtered(SLICE("memcached_build_info\0"), "memcached_build_info", 1);
}

static void test_filter_of_several_families(void **unused)
{
    char *text = encode(FORMAT_OPENMETRICS, SLICE("memcached_up\0memcached_read_bytes_total\0"));
    (void) unused;
    assert_string_equal(text, "# HELP memcached_up Whether it is up.\n# TYPE memcached_up gauge\n"
                              "memcached_up{instance=\"a:1\"} 1\nmemcached_up{instance=\"b:1\"} 0\n"
                              "# HELP memcached_read_bytes Bytes.\n# TYPE memcached_read_bytes counter\n"
                              "# UNIT memcached_read_bytes bytes\nmemcached_read_bytes_total 7\n# EOF\n");
    free(text);
}

/* An exposition of nothing is still one. */
static void test_filter_that_takes_nothing(void **unused)
{
    char *text = encode(FORMAT_OPENMETRICS, SLICE("nothing\0"));
    (void) unused;
    assert_string_equal(text, "# EOF\n");
    free(text);
}

/* --- Labels --- */

static void expect_label(struct slice value, const char *expected)
{
    struct buffer labels;
    buffer_init(&labels, 4096);
    labels_append(&labels, "l", value);
    buffer_append_char(&labels, '\0');
    assert_string_equal(labels.data, expected);
    buffer_deinit(&labels);
}

static void test_label_values_are_escaped(void **unused)
{
    (void) unused;
    expect_label(SLICE("plain"), "l=\"plain\"");
    expect_label(SLICE(""), "l=\"\"");
    expect_label(SLICE("a\"b"), "l=\"a\\\"b\"");
    expect_label(SLICE("a\\b"), "l=\"a\\\\b\"");
    expect_label(SLICE("a\nb"), "l=\"a\\nb\"");
    expect_label(SLICE("a\tb\r"), "l=\"a\tb\xef\xbf\xbd\"");
    expect_label(SLICE("\x1b[1m"), "l=\"\xef\xbf\xbd[1m\"");
    expect_label(SLICE("\xc2\x9b\x7f"), "l=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_label(SLICE("\xc3\xa9"), "l=\"\xc3\xa9\"");
    expect_label(SLICE("\xff\xc3"), "l=\"\xef\xbf\xbd\xef\xbf\xbd\"");
    expect_label(SLICE("\xed\xa0\x80"), "l=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
}

static void test_labels_are_joined(void **unused)
{
    struct buffer labels;
    (void) unused;
    buffer_init(&labels, 4096);
    labels_append(&labels, "a", SLICE("1"));
    labels_append(&labels, "b", SLICE("2"));
    assert_true(slice_is(buffer_slice(&labels), "a=\"1\",b=\"2\""));
    buffer_deinit(&labels);
}

/* --- Pieces --- */

static void test_goes_on_in_another_buffer(void **unused)
{
    struct encoder encoder;
    struct buffer first, second;
    (void) unused;
    buffer_init(&first, 4096);
    buffer_init(&second, 4096);
    encoder_init(&encoder, FORMAT_TEXT, none);
    encoder_set_out(&encoder, &first);
    encoder_family(&encoder, &up);
    encoder_sample_u64(&encoder, SLICE(""), SLICE(""), 1);
    encoder_set_out(&encoder, &second);
    encoder_family(&encoder, &up);
    encoder_sample_u64(&encoder, SLICE("x=\"y\""), SLICE(""), 1);
    assert_true(slice_is(buffer_slice(&second), "memcached_up{x=\"y\"} 1\n"));
    buffer_deinit(&first);
    buffer_deinit(&second);
}

/* Many names cost the walk over the families no more than a few do. */
static void test_filter_of_many_names(void **unused)
{
    static const char wanted[] = "memcached_up";
    struct buffer names, out;
    clock_t took[2];
    (void) unused;
    buffer_init(&names, 1 << 22);
    buffer_init(&out, 1 << 16);
    for (unsigned round = 0; round < 2; round++) {
        struct encoder encoder;
        unsigned muted = 0;
        buffer_clear(&names);
        for (unsigned n = 0; n < (round ? 20000u : 20u); n++)
            buffer_printf(&names, "memcached_nobody_has_this_%u%c", n, 0);
        buffer_append(&names, wanted, sizeof(wanted));
        encoder_init(&encoder, FORMAT_TEXT, buffer_slice(&names));
        encoder_set_out(&encoder, &out);
        clock_t start = clock();
        for (unsigned n = 0; n < 5000; n++) {
            static const struct family others[2] = {{"memcached_a", "A.", METRIC_GAUGE, ""},
                                                    {"memcached_b", "B.", METRIC_HISTOGRAM, ""}};
            encoder_family(&encoder, &others[n % 2]);
            muted += encoder.muted;
        }
        took[round] = clock() - start;
        assert_int_equal(muted, 5000);
        static const struct family alive = {"memcached_up", "Up.", METRIC_GAUGE, ""};
        encoder_family(&encoder, &alive);
        assert_false(encoder.muted);
        encoder_deinit(&encoder);
    }
    /* A walk over all names would take a thousand times as long. */
    if (took[1] > 50 * (took[0] + CLOCKS_PER_SEC / 1000))
        fail_msg("%ld, %ld", (long) took[0], (long) took[1]);
    buffer_deinit(&names);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_formats_name_the_same_series),
        cmocka_unit_test(test_filter),
        cmocka_unit_test(test_filter_of_several_families),
        cmocka_unit_test(test_filter_that_takes_nothing),
        cmocka_unit_test(test_label_values_are_escaped),
        cmocka_unit_test(test_labels_are_joined),
        cmocka_unit_test(test_filter_of_many_names),
        cmocka_unit_test(test_goes_on_in_another_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
