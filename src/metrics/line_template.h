/*
 * A template of a line in the text formats. Only the target, one number and the value vary; the rest is
 * rendered once and copied for each sample. An exposition has hundreds of lines for each target.
 *
 *     memcached_slab_items{   instance="a"   ,slab="   3   ",kind="x"}    17
 *     head                    target         before    number  after      value
 */
#ifndef METRICS_LINE_TEMPLATE_H
#define METRICS_LINE_TEMPLATE_H

#include "base/buffer.h"
#include "base/digits.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* The slices point into the buffer `texts` of line_template_make. */
struct line_template {
    struct slice head;
    struct slice before; /* begins with the comma after the target's labels, or with the closing brace */
    struct slice after;  /* empty if the line has no number; `before` then extends to the value */
    bool has_number;
    size_t most; /* most bytes of a line, without its target's labels and its value */
};

/* The parts of a template: a name, constant labels, and the label that holds the number. */
struct line_parts {
    const char *name;
    struct slice before, number, after; /* for a line without a number, `number` and `after` are empty */
};

/*
 * Makes a template by rendering its parts into `texts`. `texts` must have at least line_template_size free
 * bytes, so that it does not move: templates point into it.
 */
struct line_template line_template_make(const struct line_parts *parts, struct buffer *texts);
size_t line_template_size(const struct line_parts *parts);

/*
 * Template texts are copied in blocks of this size. So each text and the output need this many spare bytes at
 * their end.
 */
#define LINE_BLOCK 16

static inline char *line_put_blocks(char *at, struct slice text)
{
    memcpy(at, text.data, LINE_BLOCK);
    for (size_t n = LINE_BLOCK; n < text.len; n += LINE_BLOCK) memcpy(at + n, text.data + n, LINE_BLOCK);
    return at + text.len;
}

/* Appends a line. `target_labels` may be empty. */
static inline void line_template_append(const struct line_template *template, struct buffer *out,
                                        struct slice target_labels, uint32_t number, struct slice value)
{
    struct slice head = template->head, before = template->before;
    char *at = buffer_reserve(out, template->most + target_labels.len + value.len);
    if (!at) return;
    if (target_labels.len == 0) {
        /* A line without any label has no braces. */
        if (before.data[0] == '}') head.len--;
        before = slice_from(before, 1);
    }
    at = line_put_blocks(at, head);
    at = slice_put_short(at, target_labels);
    at = line_put_blocks(at, before);
    if (template->has_number) {
        char digits[DIGITS_MAX];
        if (number < 10)
            *at++ = (char) ('0' + number);
        else
            at = slice_put_few(at, digits_of(number, digits));
        at = line_put_blocks(at, template->after);
    }
    at = slice_put_short(at, value);
    *at++ = '\n';
    out->len = (size_t) (at - out->data);
}

#endif
