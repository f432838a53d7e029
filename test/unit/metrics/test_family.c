/* What a family must look like, and the names that it takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "metrics/family.h"

#include <stdio.h>

static void test_units(void **unused)
{
    static const struct {
        struct family family;
        const char *unit;
    } cases[] = {
        {{"x_bytes", "X.", METRIC_GAUGE, ""}, "bytes"},
        {{"x_read_bytes_total", "X.", METRIC_COUNTER, ""}, "bytes"},
        {{"x_read_bytes", "X.", METRIC_COUNTER, ""}, "bytes"},
        {{"x_seconds", "X.", METRIC_HISTOGRAM, ""}, "seconds"},
        {{"x_seconds", "X.", METRIC_SUMMARY, ""}, "seconds"},
        {{"x_bytes", "X.", METRIC_GAUGE_HISTOGRAM, ""}, "bytes"},
        {{"x_ratio", "X.", METRIC_UNKNOWN, ""}, "ratio"},
        {{"x_bits_total", "X.", METRIC_COUNTER, ""}, "bits"},
        /* The unit is the last word, and a word of its own. */
        {{"x_bytes_limit", "X.", METRIC_GAUGE, ""}, ""},
        {{"x_bytes_total", "X.", METRIC_GAUGE, ""}, ""},
        {{"xbytes", "X.", METRIC_GAUGE, ""}, ""},
        {{"bytes", "X.", METRIC_GAUGE, ""}, ""},
        {{"x_total", "X.", METRIC_COUNTER, ""}, ""},
        {{"x", "X.", METRIC_GAUGE, ""}, ""},
        /* These have none, whatever their names say. */
        {{"x_bytes_info", "X.", METRIC_INFO, ""}, ""},
        {{"x_seconds", "X.", METRIC_STATE_SET, ""}, ""},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        assert_string_equal(family_unit(&cases[i].family), cases[i].unit);
    }
}

static void test_well_formed(void **unused)
{
    static const struct family families[] = {
        {"x", "X.", METRIC_GAUGE, ""},
        {"x_total", "X, \"quoted\" {braced} # and so on.", METRIC_COUNTER, "a,b,c_1"},
        {"x_stat", "A counter may lack _total.", METRIC_COUNTER, "slab"},
        {"x_info", "Caf\xc3\xa9.", METRIC_INFO, "version"},
        {"x_state", "X.", METRIC_STATE_SET, "x_state"},
        {"x_seconds", "X.", METRIC_HISTOGRAM, "quantile"},
        {"x_seconds", "X.", METRIC_SUMMARY, "le"},
        {"x_bytes", "X.", METRIC_GAUGE_HISTOGRAM, "slab"},
        {"x", "X.", METRIC_UNKNOWN, "command,stat"},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        const char *expected = family_check(&families[i]);
        if (expected) fail_msg("%s: expected %s", families[i].name, expected);
    }
    assert_null(family_check(&FAMILY("x", "X.", METRIC_GAUGE)));
}

static void test_malformed(void **unused)
{
    static const struct family families[] = {
        {"", "X.", METRIC_GAUGE, ""},
        {"9x", "X.", METRIC_GAUGE, ""},
        {"x-y", "X.", METRIC_COUNTER, ""},
        {"x", "Two\nlines.", METRIC_GAUGE, ""},
        {"x", "A back\\slash.", METRIC_GAUGE, ""},
        {"x", "No text: \xff.", METRIC_GAUGE, ""},
        {"x", "X.", METRIC_INFO, ""},
        {"x_information", "X.", METRIC_INFO, ""},
        {"x", "X.", METRIC_GAUGE, "9"},
        {"x", "X.", METRIC_GAUGE, "a,b-c"},
        {"x", "X.", METRIC_GAUGE, "a,,b"},
        {"x", "X.", METRIC_GAUGE, ",a"},
        {"x", "X.", METRIC_GAUGE, "a, b"},
        {"x", "X.", METRIC_GAUGE, "__name__"},
        {"x", "X.", METRIC_GAUGE, "a:b"},
        /* The encoder writes these itself. */
        {"x", "X.", METRIC_HISTOGRAM, "a,le"},
        {"x", "X.", METRIC_GAUGE_HISTOGRAM, "le"},
        {"x", "X.", METRIC_SUMMARY, "quantile,a"},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(families); i++) {
        if (!family_check(&families[i])) {
            fail_msg("accepted: '%s' '%s' '%s'", families[i].name, families[i].help, families[i].labels);
        }
    }
}

/* Whether the names, each ended by NUL, hold this one. */
static bool holds(struct slice names, const char *name)
{
    while (names.len) {
        if (slice_is(slice_cut(&names, '\0'), name)) return true;
    }
    return false;
}

/* Both ways of asking for the names agree on each of x, x_bucket, ...: stored or not. */
static void expect_names(enum metric_type type, const char *name, const char *stored)
{
    static const char *const suffixes[] = {"_bucket", "_count", "_sum", "_gcount", "_gsum", "_created"};
    struct family family = {name, "X.", type, ""};
    struct buffer names;
    char suffixed[64];
    buffer_init(&names, 4096);
    family_append_names(&family, &names);
    assert_false(names.failed);
    assert_true(names.len > 0 && names.data[names.len - 1] == '\0');
    assert_true(holds(buffer_slice(&names), name));
    assert_true(family_has_name(&family, slice_of(name)));
    for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
        struct slice rest = slice_of(stored);
        bool expected = false;
        while (rest.len) expected |= slice_is(slice_cut(&rest, ','), suffixes[i]);
        snprintf(suffixed, sizeof(suffixed), "%s%s", name, suffixes[i]);
        assert_int_equal(holds(buffer_slice(&names), suffixed), expected);
        assert_int_equal(family_has_name(&family, slice_of(suffixed)), expected);
    }
    buffer_deinit(&names);
}

static void test_names_under_which_samples_are_stored(void **unused)
{
    (void) unused;
    expect_names(METRIC_COUNTER, "x_total", "");
    expect_names(METRIC_COUNTER, "x", "");
    expect_names(METRIC_GAUGE, "x", "");
    expect_names(METRIC_UNKNOWN, "x", "");
    expect_names(METRIC_INFO, "x_info", "");
    expect_names(METRIC_STATE_SET, "x", "");
    expect_names(METRIC_HISTOGRAM, "x_seconds", "_bucket,_count,_sum,_created");
    expect_names(METRIC_SUMMARY, "x_seconds", "_count,_sum,_created");
    expect_names(METRIC_GAUGE_HISTOGRAM, "x_bytes", "_bucket,_gcount,_gsum");
}

static void test_other_names_are_not_taken(void **unused)
{
    static const struct family family = {"x_seconds", "X.", METRIC_HISTOGRAM, ""};
    static const char *const others[] = {
        "", "x", "x_second", "x_secondss", "x_seconds_", "x_seconds_buckets", "y_seconds_count"};
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        if (family_has_name(&family, slice_of(others[i]))) fail_msg("taken: '%s'", others[i]);
    }
}

/* A caller that has no room for the names learns it from the buffer. */
static void test_no_room_for_names(void **unused)
{
    static const struct family family = {"x_seconds", "X.", METRIC_HISTOGRAM, ""};
    struct buffer names;
    (void) unused;
    buffer_init(&names, 20);
    family_append_names(&family, &names);
    assert_true(names.failed);
    buffer_deinit(&names);
}

static void test_stems(void **unused)
{
    (void) unused;
    assert_true(slice_is(family_stem(&FAMILY("x_total", "X.", METRIC_COUNTER)), "x"));
    assert_true(slice_is(family_stem(&FAMILY("x_stat", "X.", METRIC_COUNTER)), "x_stat"));
    assert_true(slice_is(family_stem(&FAMILY("x_build_info", "X.", METRIC_INFO)), "x_build"));
    assert_true(slice_is(family_stem(&FAMILY("x_info", "X.", METRIC_GAUGE)), "x_info"));
    assert_true(slice_is(family_stem(&FAMILY("x_total", "X.", METRIC_GAUGE)), "x_total"));
    assert_true(slice_is(family_stem(&FAMILY("x_seconds", "X.", METRIC_SUMMARY)), "x_seconds"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),
        cmocka_unit_test(test_well_formed),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_names_under_which_samples_are_stored),
        cmocka_unit_test(test_other_names_are_not_taken),
        cmocka_unit_test(test_no_room_for_names),
        cmocka_unit_test(test_stems),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
