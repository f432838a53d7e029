/*
 * A series whose labels are known before a scrape, except for the labels of the target and the digits of one
 * number. The rest is rendered once for an output format, and copied for each sample. An exposition has
 * hundreds of samples for each target.
 *
 *     line     memcached_slab_items{   instance="a"   ,slab="   3   ",kind="x"}    17 \n
 *     metric   length of the Metric    instance, a    slab,     3   kind, x        17
 *              head                    target         before  number  after        value
 */
#ifndef METRICS_SERIES_H
#define METRICS_SERIES_H

#include "base/buffer.h"
#include "base/digits.h"
#include "base/slice.h"

#include <stdint.h>

enum series_form {
    SERIES_LINE,   /* a line of the text formats */
    SERIES_METRIC, /* a Metric of protobuf */
    SERIES_FORMS,
};

/* The name, the constant labels, and the label that holds the number. */
struct series_parts {
    const char *name;
    struct slice before, number, after; /* for a series without a number, `number` and `after` are empty */
};

/* A rendered series. The text is borrowed from the buffer of series_make. */
struct series {
    const char *text;   /* head, before and after, one behind the other, and SLICE_BLOCKS readable bytes */
    uint8_t head_len;   /* of a line; a Metric has no head */
    uint8_t before_len; /* of a line: begins with the comma after the target's labels, or the closing brace */
    uint8_t after_len;
    uint8_t number_len; /* length of the number's label name; 0 for a series without a number */
    uint16_t most;      /* most bytes that a sample needs in the output, beside target and value */
};

/*
 * Renders a series into `texts`, which must have at least series_size free bytes, so that its memory does not
 * move. All parts are constants of the program: a rendered text has at most 255 bytes (asserted).
 */
struct series series_make(enum series_form form, const struct series_parts *parts, struct buffer *texts);
size_t series_size(const struct series_parts *parts);

/* Room for the longest line of a series, without its target, whose value has at most SLICE_BLOCK bytes. */
#define SERIES_LINE_MOST (UINT8_MAX + DIGITS_MAX + SLICE_BLOCK + 1 + SLICE_BLOCKS)

#define SERIES_INLINE static inline __attribute__((always_inline))

static inline char *series_put_number(char *at, uint32_t number)
{
    char digits[DIGITS_MAX];
    if (number >= 100) return slice_put_few(at, digits_of(number, digits));
    if (number >= 10) {
        uint32_t tens = number * 103 >> 10; /* number / 10, without a wide multiplication */
        *at++ = (char) ('0' + tens);
        number -= tens * 10;
    }
    *at = (char) ('0' + number);
    return at + 1;
}

/* Writes a line up to its number, or up to its value if it has none. */
SERIES_INLINE char *series_put_name(char *at, const struct series *series, struct slice target)
{
    const char *before = series->text + series->head_len;
    size_t before_len = series->before_len;
    at = slice_put_more_blocks(at, (struct slice){series->text, series->head_len});
    if (target.len) {
        at = slice_put_more_blocks(at, target);
    } else {
        /* No comma is needed, and a line without any label has no braces. */
        if (*before == '}') at--;
        before++;
        before_len--;
    }
    return slice_put_blocks(at, (struct slice){before, before_len});
}

/* Returns the text between number and value. */
static inline struct slice series_after(const struct series *series)
{
    return (struct slice){series->text + series->head_len + series->before_len, series->after_len};
}

/*
 * Writes a line to `at`, which must have room for series->most and the two slices. `target` holds rendered
 * labels with SLICE_BLOCKS readable bytes behind them, or is empty.
 */
static inline char *series_put_line(char *at, const struct series *series, struct slice target,
                                    uint32_t number, struct slice value)
{
    at = series_put_name(at, series, target);
    if (series->number_len) at = slice_put_blocks(series_put_number(at, number), series_after(series));
    at = slice_put_blocks(at, value);
    *at = '\n';
    return at + 1;
}

/* Writes a value of at most SLICE_BLOCK bytes, which nearly all values are, and ends the line. */
SERIES_INLINE char *series_put_short_value(char *at, struct slice value)
{
    memcpy(at, value.data, SLICE_BLOCK);
    at[value.len] = '\n';
    return at + value.len + 1;
}

#endif
