#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void reads_unsigned_numbers(void **state)
{
    static const char *const bad[] = {"",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "0x1",
                                      "1e3",
                                      "18446744073709551616",
                                      "99999999999999999999",
                                      "184467440737095516150",
                                      "a"};
    uint64_t value = 42;
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (number_parse_u64(slice_of(bad[i]), &value)) fail_msg("'%s' is taken", bad[i]);
        assert_int_equal(value, 42);
    }
    assert_false(number_parse_u64(SLICE("1\0"), &value));
    assert_false(number_parse_u64((struct slice){NULL, 0}, &value));
    assert_true(number_parse_u64(SLICE("0"), &value));
    assert_int_equal(value, 0);
    assert_true(number_parse_u64(SLICE("0007"), &value));
    assert_int_equal(value, 7);
    assert_true(number_parse_u64(SLICE("18446744073709551615"), &value));
    assert_true(value == UINT64_MAX);
}

static void reads_signed_numbers(void **state)
{
    static const char *const bad[] = {
        "", "-", "--1", "+1", "- 1", "9223372036854775808", "-9223372036854775809", "18446744073709551615"};
    int64_t value = 42;
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        if (number_parse_i64(slice_of(bad[i]), &value)) fail_msg("'%s' is taken", bad[i]);
        assert_int_equal(value, 42);
    }
    assert_false(number_parse_i64((struct slice){NULL, 0}, &value));
    assert_true(number_parse_i64(SLICE("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(number_parse_i64(SLICE("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    assert_true(number_parse_i64(SLICE("-1"), &value));
    assert_int_equal(value, -1);
    assert_true(number_parse_i64(SLICE("-0"), &value));
    assert_int_equal(value, 0);
}

static const struct {
    const char *text;
    double value;
} decimals[] = {
    {"0", 0},           {"-0", -0.0},
    {"1", 1},           {"-12", -12},
    {"1.5", 1.5},       {"-0.25", -0.25},
    {"1e3", 1000},      {"1E3", 1000},
    {"1e+3", 1000},     {"25e-2", 0.25},
    {"0.000001", 1e-6}, {"1.7976931348623157e308", 1.7976931348623157e308},
    {"007.50", 7.5},    {"18446744073709551615", 18446744073709551615.0},
    {"1e-999", 0},      {"123456789012345678901234567890", 123456789012345678901234567890.0},
};

static const char *const no_decimals[] = {
    "",     "-",    "+1",  ".",      "1.",     ".5",       "1.e3", "e3",    "1e",  "1e+", "1e-",
    "1e3x", "1.5.", "--1", " 1",     "1 ",     "1,5",      "0x10", "0x1p3", "nan", "NaN", "inf",
    "-inf", "Inf",  "1_0", "1e9999", "-1e309", "infinity", "1.5f", "1e5.5", "1-",
};

static void knows_decimal_numbers(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(decimals); i++) {
        double value = 42;
        struct slice text = slice_of(decimals[i].text);
        if (!number_is_decimal(text)) fail_msg("'%s' is refused", decimals[i].text);
        assert_true(number_parse_double(text, &value));
        assert_true(value == decimals[i].value);
    }
}

static void refuses_what_is_no_decimal(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(no_decimals); i++) {
        double value = 42;
        struct slice text = slice_of(no_decimals[i]);
        if (number_is_decimal(text)) fail_msg("'%s' is taken", no_decimals[i]);
        assert_false(number_parse_double(text, &value));
        assert_true(value == 42);
    }
    assert_false(number_is_decimal(SLICE("1\0")));
    assert_false(number_is_decimal((struct slice){NULL, 0}));
}

/* Digits without end are no number that a server sends. */
static void refuses_endless_digits(void **state)
{
    char digits[400];
    double value;
    (void) state;
    memset(digits, '9', sizeof(digits));
    assert_false(number_is_decimal((struct slice){digits, sizeof(digits)}));
    assert_false(number_parse_double((struct slice){digits, sizeof(digits)}, &value));
    assert_false(number_is_decimal((struct slice){digits, 64}));
    assert_true(number_is_decimal((struct slice){digits, 63}));
}

static void reads_no_further_than_the_slice(void **state)
{
    uint64_t value;
    double real;
    (void) state;
    assert_true(number_parse_u64((struct slice){"123", 2}, &value));
    assert_int_equal(value, 12);
    assert_true(number_parse_double((struct slice){"1.5e3", 3}, &real));
    assert_true(real == 1.5);
}

static const struct {
    uint64_t value;
    unsigned places;
    const char *expected;
} scaled[] = {
    {1500000, 6, "1.5"},
    {0, 6, "0"},
    {1, 6, "0.000001"},
    {1000000, 6, "1"},
    {10, 1, "1"},
    {105, 2, "1.05"},
    {7, 0, "7"},
    {100, 0, "100"},
    {UINT64_MAX, 0, "18446744073709551615"},
    {UINT64_MAX, 6, "18446744073709.551615"},
    {UINT64_MAX, 19, "1.8446744073709551615"},
    {1, 19, "0.0000000000000000001"},
};

static void sets_the_point_exactly(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(scaled); i++) {
        struct buffer text;
        buffer_init(&text, 100);
        number_append_scaled(&text, scaled[i].value, scaled[i].places);
        assert_int_equal(text.len, strlen(scaled[i].expected));
        assert_memory_equal(text.data, scaled[i].expected, text.len);
        buffer_deinit(&text);
    }
}

static const struct {
    double value;
    const char *expected;
    bool integer; /* it is written like one */
} doubles[] = {
    {0, "0", true},
    {-0.0, "-0", true},
    {1, "1", true},
    {-1234567, "-1234567", true},
    {0.1, "0.1", false},
    {-2.5, "-2.5", false},
    {0.1 + 0.2, "0.30000000000000004", false},
    {1e300, "1e+300", false},
    {1.0 / 3, "0.3333333333333333", false},
    {1700000000.25, "1700000000.25", false},
    {INFINITY, "+Inf", false},
    {-INFINITY, "-Inf", false},
    {NAN, "NaN", false},
    {-NAN, "NaN", false},
};

static void writes_doubles_that_read_back(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
        struct buffer text;
        buffer_init(&text, 100);
        number_append_double(&text, doubles[i].value);
        if (!slice_is(buffer_slice(&text), doubles[i].expected))
            fail_msg("%.*s instead of %s", SLICE_ARG(buffer_slice(&text)), doubles[i].expected);
        buffer_deinit(&text);
    }
}

/* Nanoseconds are written without trying precisions. The text is the one that a precision gives. */
static void writes_nanoseconds_shortly(void **state)
{
    uint64_t dice = 1;
    (void) state;
    for (unsigned round = 0; round < 20000; round++) {
        dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
        double value = (double) (100000 + (dice >> 14) % (UINT64_C(1) << (17 + round % 33))) / 1e9;
        char expected[64];
        struct buffer text;
        buffer_init(&text, 100);
        number_append_double(&text, value);
        for (int precision = 15; precision <= 17; precision++) {
            snprintf(expected, sizeof(expected), "%.*g", precision, value);
            if (strtod(expected, NULL) == value) break;
        }
        if (!slice_is(buffer_slice(&text), expected))
            fail_msg("%.*s instead of %s", SLICE_ARG(buffer_slice(&text)), expected);
        buffer_deinit(&text);
    }
}

/* Behind other text with a point in it. */
static void writes_floats_that_are_no_integers(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(doubles); i++) {
        char expected[64];
        struct buffer text;
        buffer_init(&text, 100);
        snprintf(expected, sizeof(expected), "a.%s%s", doubles[i].expected, doubles[i].integer ? ".0" : "");
        buffer_append_string(&text, "a.");
        number_append_float(&text, doubles[i].value);
        if (!slice_is(buffer_slice(&text), expected))
            fail_msg("%.*s instead of %s", SLICE_ARG(buffer_slice(&text)), expected);
        buffer_deinit(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_unsigned_numbers),     cmocka_unit_test(reads_signed_numbers),
        cmocka_unit_test(knows_decimal_numbers),      cmocka_unit_test(refuses_what_is_no_decimal),
        cmocka_unit_test(refuses_endless_digits),     cmocka_unit_test(reads_no_further_than_the_slice),
        cmocka_unit_test(sets_the_point_exactly),     cmocka_unit_test(writes_doubles_that_read_back),
        cmocka_unit_test(writes_nanoseconds_shortly), cmocka_unit_test(writes_floats_that_are_no_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
