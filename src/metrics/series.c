#include "metrics/series.h"

#include "metrics/label_pairs.h"

#include <assert.h>

/* Most bytes that a form adds to the parts: the marks of a line, or keys and lengths of some labels. */
#define MARKS_MAX 64

size_t series_size(const struct series_parts *parts)
{
    return strlen(parts->name) + parts->before.len + parts->number.len + parts->after.len + MARKS_MAX +
           SLICE_BLOCKS;
}

static void append_set(struct buffer *texts, struct slice set)
{
    if (set.len) buffer_append_char(texts, ',');
    buffer_append_slice(texts, set);
}

static void append_line_head(enum series_form form, const struct series_parts *parts, struct buffer *texts)
{
    if (form == SERIES_METRIC) return;
    buffer_append_string(texts, parts->name);
    buffer_append_char(texts, '{');
}

static void append_before(enum series_form form, const struct series_parts *parts, struct buffer *texts)
{
    if (form == SERIES_METRIC) {
        label_pairs_append(texts, parts->before);
        if (parts->number.len) label_pairs_append_name(texts, parts->number);
    } else {
        append_set(texts, parts->before);
        append_set(texts, parts->number);
        buffer_append_string(texts, parts->number.len ? "=\"" : "} ");
    }
}

static void append_after(enum series_form form, const struct series_parts *parts, struct buffer *texts)
{
    if (form == SERIES_METRIC) {
        label_pairs_append(texts, parts->after);
    } else if (parts->number.len) {
        buffer_append_char(texts, '"');
        append_set(texts, parts->after);
        buffer_append_string(texts, "} ");
    }
}

struct series series_make(enum series_form form, const struct series_parts *parts, struct buffer *texts)
{
    size_t start = texts->len, before, after;
    assert(texts->size - start >= series_size(parts));
    append_line_head(form, parts, texts);
    before = texts->len;
    append_before(form, parts, texts);
    after = texts->len;
    append_after(form, parts, texts);
    assert(!texts->failed && texts->len - start <= UINT8_MAX);
    struct series series = {
        .text = texts->data + start,
        .head_len = (uint8_t) (before - start),
        .before_len = (uint8_t) (after - before),
        .after_len = (uint8_t) (texts->len - after),
        .number_len = (uint8_t) parts->number.len,
        .most = (uint16_t) (texts->len - start + DIGITS_MAX + strlen("\n") + SLICE_BLOCKS),
    };
    return series;
}
