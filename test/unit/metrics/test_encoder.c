#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/encoder.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const struct family up = {"memcached_up", "Whether it is up.", METRIC_GAUGE};
static const struct family hits = {"memcached_hits_total", "Hits (stat get_hits).", METRIC_COUNTER};
static const struct family empty = {"memcached_empty", "Never sampled.", METRIC_GAUGE};
static const struct family state = {"memcached_target_state", "State.", METRIC_STATE_SET};
static const struct family build = {"memcached_build_info", "Build.", METRIC_INFO};
static const struct family other = {"memcached_unmapped_stat", "Unknown.", METRIC_UNKNOWN};

/* Writes one of everything. */
static void write_all(struct encoder *encoder)
{
    struct slice none = SLICE(""), a = SLICE("instance=\"a:1\""), b = SLICE("instance=\"b:1\"");
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, a, none, 1);
    encoder_family(encoder, &up);
    encoder_sample_u64(encoder, b, none, 0);
    encoder_family(encoder, &empty);
    encoder_family(encoder, &hits);
    encoder_sample(encoder, a, SLICE("slab=\"1\",command=\"get\""), SLICE("18446744073709551615"));
    encoder_sample(encoder, none, SLICE("slab=\"2\""), SLICE("9007199254740993"));
    encoder_sample(encoder, none, none, SLICE("0.000001"));
    encoder_family(encoder, &state);
    encoder_sample_u64(encoder, none, SLICE("memcached_target_state=\"up\""), 1);
    encoder_family(encoder, &build);
    encoder_sample_u64(encoder, none, SLICE("version=\"1\""), 1);
    encoder_family(encoder, &other);
    encoder_sample_double(encoder, none, none, 0.1);
    encoder_sample_double(encoder, none, none, 1e300);
    encoder_sample_double(encoder, none, none, INFINITY);
    encoder_sample_double(encoder, none, none, -INFINITY);
    encoder_sample_double(encoder, none, none, NAN);
}

static void test_golden(void **unused)
{
    struct encoder encoder;
    struct buffer out;
    char path[4096], golden[8192];
    (void) unused;
    buffer_init(&out, 1 << 20);
    encoder_init(&encoder);
    encoder_set_out(&encoder, &out);
    write_all(&encoder);

    snprintf(path, sizeof(path), "%s/golden/encoder.prom", getenv("TEST_DATA"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    size_t len = fread(golden, 1, sizeof(golden), file);
    fclose(file);
    buffer_append_char(&out, '\0');
    golden[len] = '\0';
    assert_string_equal(out.data, golden);
    buffer_deinit(&out);
}

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
    expect_label(SLICE("a\tb\r"), "l=\"a\tb\r\"");
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

static void test_goes_on_in_another_buffer(void **unused)
{
    struct encoder encoder;
    struct buffer first, second;
    (void) unused;
    buffer_init(&first, 4096);
    buffer_init(&second, 4096);
    encoder_init(&encoder);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_label_values_are_escaped),
        cmocka_unit_test(test_labels_are_joined),
        cmocka_unit_test(test_goes_on_in_another_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
