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
    const char *text;   /* head, before and after, one behind the other, and SLICE_BLOCK readable bytes */
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

static inline char *series_put_number(char *at, uint32_t number)
{
    char digits[DIGITS_MAX];
    if (number >= 100) return slice_put_few(at, digits_of(number, digits));
    if (number >= 10) *at++ = (char) ('0' + number / 10);
    *at++ = (char) ('0' + number % 10);
    return at;
}

/*
 * Writes a line to `at`, which must have room for series->most and the two slices. `target` holds rendered
 * labels, or is empty.
 */
static inline char *series_put_line(char *at, const struct series *series, struct slice target,
                                    uint32_t number, struct slice value)
{
    const char *before = series->text + series->head_len;
    size_t before_len = series->before_len;
    at = slice_put_blocks(at, (struct slice){series->text, series->head_len});
    if (target.len) {
        at = slice_put_blocks(at, target);
    } else {
        /* No comma is needed, and a line without any label has no braces. */
        if (*before == '}') at--;
        before++;
        before_len--;
    }
    at = slice_put_blocks(at, (struct slice){before, before_len});
    if (series->number_len) {
        at = series_put_number(at, number);
        at = slice_put_blocks(at, (struct slice){before + before_len, series->after_len});
    }
    at = slice_put_blocks(at, value);
    *at = '\n';
    return at + 1;
}

#endif
