#include "base/number.h"

#include "base/digits.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A number with at most this many digits cannot exceed 2^64 - 1 and needs no overflow check. */
#define SAFE_DIGITS 19

/* Reads up to SAFE_DIGITS digits at the beginning of `text`. Returns how many there are. */
static inline size_t scan_safe(struct slice text, uint64_t *value)
{
    const size_t most = text.len < SAFE_DIGITS ? text.len : SAFE_DIGITS;
    size_t len = 0;
    *value = 0;
    while (len < most && is_digit(text.data[len])) *value = *value * 10 + (uint64_t) (text.data[len++] - '0');
    return len;
}

size_t number_scan_u64(struct slice text, uint64_t *value)
{
    uint64_t sum;
    size_t len = scan_safe(text, &sum);
    for (; len >= SAFE_DIGITS && len < text.len && is_digit(text.data[len]); len++) {
        if (__builtin_mul_overflow(sum, (uint64_t) 10, &sum) ||
            __builtin_add_overflow(sum, (uint64_t) (text.data[len] - '0'), &sum))
            return 0;
    }
    if (len) *value = sum;
    return len;
}

bool number_parse_u64(struct slice text, uint64_t *value)
{
    uint64_t parsed;
    if (text.len == 0 || number_scan_u64(text, &parsed) != text.len) return false;
    *value = parsed;
    return true;
}

bool number_parse_i64(struct slice text, int64_t *value)
{
    bool negative = slice_starts(text, "-");
    uint64_t magnitude;
    if (!number_parse_u64(slice_from(text, negative), &magnitude)) return false;
    if (magnitude > (uint64_t) INT64_MAX + negative) return false;
    *value = negative ? (int64_t) (0 - magnitude) : (int64_t) magnitude;
    return true;
}

static size_t count_digits(struct slice text)
{
    size_t n = 0;
    while (n < text.len && is_digit(text.data[n])) n++;
    return n;
}

/* Checks the grammar of number_is_decimal, and tells whether the text has an exponent. */
static bool scan_decimal(struct slice text, bool *has_exponent)
{
    size_t digits;
    *has_exponent = false;
    if (slice_starts(text, "-")) text = slice_from(text, 1);
    if ((digits = count_digits(text)) == 0) return false;
    text = slice_from(text, digits);
    if (slice_starts(text, ".")) {
        text = slice_from(text, 1);
        if ((digits = count_digits(text)) == 0) return false;
        text = slice_from(text, digits);
    }
    if (slice_starts(text, "e") || slice_starts(text, "E")) {
        text = slice_from(text, 1);
        if (slice_starts(text, "+") || slice_starts(text, "-")) text = slice_from(text, 1);
        if ((digits = count_digits(text)) == 0) return false;
        text = slice_from(text, digits);
        *has_exponent = true;
    }
    return text.len == 0;
}

bool number_parse_double(struct slice text, double *value)
{
    char copy[64];
    bool has_exponent;
    uint64_t digits;
    /* Converting a whole number rounds to the nearest double, as strtod does. */
    if (text.len && scan_safe(text, &digits) == text.len) {
        *value = (double) digits;
        return true;
    }
    if (text.len >= sizeof(copy) || !scan_decimal(text, &has_exponent)) return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    double parsed = strtod(copy, NULL);
    if (!isfinite(parsed)) return false;
    *value = parsed;
    return true;
}

bool number_is_decimal(struct slice text)
{
    bool has_exponent;
    double ignored;
    if (text.len <= 20 && scan_decimal(text, &has_exponent) && !has_exponent) return true;
    return number_parse_double(text, &ignored);
}

void number_append_scaled(struct buffer *buffer, uint64_t value, unsigned places)
{
    uint64_t scale = 1;
    assert(places <= 19);
    for (unsigned i = 0; i < places; i++) scale *= 10;
    buffer_append_u64(buffer, value / scale);

    uint64_t fraction = value % scale;
    if (fraction == 0) return;
    while (fraction % 10 == 0) {
        fraction /= 10;
        places--;
    }
    char *at = buffer_reserve(buffer, 1 + places);
    if (!at) return;
    buffer->len += 1 + places;
    for (; places; places--, fraction /= 10) at[places] = (char) ('0' + fraction % 10);
    *at = '.';
}

/*
 * Writes a value that has at most `places` decimals, without trying precisions. Most values have few digits.
 * Dividing two whole numbers gives the nearest double, and reading the decimal text gives the same double. So
 * `scaled / scale == value` proves that the text is right. Returns false for all other values.
 */
static bool append_decimals(struct buffer *buffer, double value, double scale, unsigned places)
{
    uint64_t scaled = (uint64_t) (value * scale + 0.5);
    if ((double) scaled / scale != value) return false;
    number_append_scaled(buffer, scaled, places);
    return true;
}

/*
 * Writes a value that a text of at most fifteen digits gives exactly. Such texts are all different doubles,
 * so the text is the shortest one.
 */
static bool append_short_double(struct buffer *buffer, double value)
{
    if (signbit(value) || value >= 1e9) return false;
    if (append_decimals(buffer, value, 1e6, 6)) return true;
    /* Nanoseconds. Smaller values are written with an exponent. */
    return value >= 1e-4 && value < 1e6 && append_decimals(buffer, value, 1e9, 9);
}

void number_append_double(struct buffer *buffer, double value)
{
    if (isnan(value)) {
        buffer_append_string(buffer, "NaN");
        return;
    }
    if (isinf(value)) {
        buffer_append_string(buffer, value > 0 ? "+Inf" : "-Inf");
        return;
    }
    if (append_short_double(buffer, value)) return;
    char text[32];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof(text), "%.*g", precision, value);
        if (strtod(text, NULL) == value) break;
    }
    buffer_append_string(buffer, text);
}

static void append_whole_float(struct buffer *buffer, uint64_t value)
{
    char memory[DIGITS_MAX];
    struct slice digits = digits_of(value, memory);
    char *at = buffer_reserve(buffer, digits.len + strlen(".0"));
    if (!at) return;
    at = slice_put(slice_put_few(at, digits), SLICE(".0"));
    buffer->len = (size_t) (at - buffer->data);
}

void number_append_float(struct buffer *buffer, double value)
{
    size_t from = buffer->len;
    bool plain = true;
    /* Most bounds of buckets are whole numbers. */
    if (value >= 1 && value < 1e9 && (double) (uint64_t) value == value) {
        append_whole_float(buffer, (uint64_t) value);
        return;
    }
    number_append_double(buffer, value);
    for (size_t at = from; at < buffer->len; at++)
        plain &= is_digit(buffer->data[at]) || buffer->data[at] == '-';
    if (plain) buffer_append_string(buffer, ".0");
}
