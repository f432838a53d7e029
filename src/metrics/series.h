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

/* The texts have SERIES_BLOCK readable bytes after their end. Borrowed from the buffer of series_make. */
struct series {
    const char *head;   /* of a line; a Metric has none */
    const char *before; /* of a line: begins with the comma after the target's labels, or the closing brace */
    const char *after;
    uint8_t head_len, before_len, after_len;
    uint8_t number_len; /* length of the number's label name; 0 for a series without a number */
};

/*
 * Renders a series into `texts`, which must have at least series_size free bytes, so that its memory does not
 * move. All parts are constants of the program: a rendered text has at most 255 bytes (asserted).
 */
struct series series_make(enum series_form form, const struct series_parts *parts, struct buffer *texts);
size_t series_size(const struct series_parts *parts);

/*
 * Texts are copied in blocks of this size. So the texts and the output need this many spare bytes at their
 * end.
 */
#define SERIES_BLOCK 16

static inline char *series_put_blocks(char *at, const char *text, size_t len)
{
    memcpy(at, text, SERIES_BLOCK);
    for (size_t n = SERIES_BLOCK; n < len; n += SERIES_BLOCK) memcpy(at + n, text + n, SERIES_BLOCK);
    return at + len;
}

/* Returns the most bytes of a sample, without its target's labels and its value. */
static inline size_t series_most(const struct series *series)
{
    return (size_t) series->head_len + series->before_len + DIGITS_MAX + series->after_len + SERIES_BLOCK;
}

static inline char *series_put_number(char *at, uint32_t number)
{
    char digits[DIGITS_MAX];
    if (number >= 10) return slice_put_few(at, digits_of(number, digits));
    *at = (char) ('0' + number);
    return at + 1;
}

/*
 * Writes a line to `at`, which must have room for series_most and the two slices. `target` holds rendered
 * labels, or is empty.
 */
static inline char *series_put_line(char *at, const struct series *series, struct slice target,
                                    uint32_t number, struct slice value)
{
    at = series_put_blocks(at, series->head, series->head_len);
    if (target.len) {
        at = slice_put_short(at, target);
        at = series_put_blocks(at, series->before, series->before_len);
    } else {
        /* No comma is needed, and a line without any label has no braces. */
        if (series->before[0] == '}') at--;
        at = series_put_blocks(at, series->before + 1, series->before_len - 1u);
    }
    if (series->number_len) {
        at = series_put_number(at, number);
        at = series_put_blocks(at, series->after, series->after_len);
    }
    at = slice_put_short(at, value);
    *at = '\n';
    return at + 1;
}

#endif
