#include "metrics/series.h"

#include "metrics/label_pairs.h"

#include <assert.h>

/* Most bytes that a form adds to the parts: the marks of a line, or keys and lengths of some labels. */
#define MARKS_MAX 64

size_t series_size(const struct series_parts *parts)
{
    return strlen(parts->name) + parts->before.len + parts->number.len + parts->after.len + MARKS_MAX +
           SERIES_BLOCK;
}

/* Sets a text of a series to what was appended to `texts` since `start`. */
static void set_text(const char **text, uint8_t *len, const struct buffer *texts, size_t start)
{
    assert(!texts->failed && texts->len - start <= UINT8_MAX);
    *text = texts->data + start;
    *len = (uint8_t) (texts->len - start);
}

static void append_set(struct buffer *texts, struct slice set)
{
    if (set.len) buffer_append_char(texts, ',');
    buffer_append_slice(texts, set);
}

static void make_line(struct series *series, const struct series_parts *parts, struct buffer *texts)
{
    size_t start = texts->len;
    buffer_append_string(texts, parts->name);
    buffer_append_char(texts, '{');
    set_text(&series->head, &series->head_len, texts, start);

    start = texts->len;
    append_set(texts, parts->before);
    append_set(texts, parts->number);
    buffer_append_string(texts, parts->number.len ? "=\"" : "} ");
    set_text(&series->before, &series->before_len, texts, start);

    start = texts->len;
    if (parts->number.len) {
        buffer_append_char(texts, '"');
        append_set(texts, parts->after);
        buffer_append_string(texts, "} ");
    }
    set_text(&series->after, &series->after_len, texts, start);
}

static void make_metric(struct series *series, const struct series_parts *parts, struct buffer *texts)
{
    size_t start = texts->len;
    label_pairs_append(texts, parts->before);
    if (parts->number.len) label_pairs_append_name(texts, parts->number);
    set_text(&series->before, &series->before_len, texts, start);

    start = texts->len;
    label_pairs_append(texts, parts->after);
    set_text(&series->after, &series->after_len, texts, start);
}

struct series series_make(enum series_form form, const struct series_parts *parts, struct buffer *texts)
{
    struct series series = {.number_len = (uint8_t) parts->number.len};
    assert(texts->size - texts->len >= series_size(parts));
    if (form == SERIES_LINE)
        make_line(&series, parts, texts);
    else
        make_metric(&series, parts, texts);
    return series;
}
