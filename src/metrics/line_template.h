/*
 * A line of the text formats of which all is known but the target, one number and the value: rendered once,
 * copied for each sample. An exposition is hundreds of lines for each target.
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

/* The slices point into the buffer that it was made in. */
struct line_template {
    struct slice head;
    struct slice before; /* begins with the comma behind the target's labels, or with the closing brace */
    struct slice after;  /* empty when there is no number, and `before` goes up to the value */
    bool has_number;
    size_t most; /* bytes of a line, beside its target's labels and its value */
};

/* The parts of a template before they are rendered: a name, constant label sets, and the number's label. */
struct line_parts {
    const char *name;
    struct slice before, number, after; /* `number` is empty, and `after` too, for a line without one */
};

/*
 * Renders the parts into `texts`, which must have room for line_template_size bytes, since templates keep
 * pointing into it.
 */
struct line_template line_template_make(const struct line_parts *parts, struct buffer *texts);
size_t line_template_size(const struct line_parts *parts);

/* Texts of ours are copied in blocks of this size: behind each there is as much room. */
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
        /* Without any label the braces go, too. */
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
