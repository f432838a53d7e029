#include "metrics/line_template.h"

#include <assert.h>

/* Bytes that are rendered in addition to the parts, and the spare bytes after the last text. */
#define MARKS_MAX (sizeof("{,,=\"\",} ") + LINE_BLOCK)

size_t line_template_size(const struct line_parts *parts)
{
    return strlen(parts->name) + parts->before.len + parts->number.len + parts->after.len + MARKS_MAX;
}

static void append_set(struct buffer *texts, struct slice set)
{
    if (set.len) buffer_append_char(texts, ',');
    buffer_append_slice(texts, set);
}

static struct slice text_since(const struct buffer *texts, size_t start)
{
    return (struct slice){texts->data + start, texts->len - start};
}

struct line_template line_template_make(const struct line_parts *parts, struct buffer *texts)
{
    struct line_template template = {.has_number = parts->number.len > 0};
    size_t start = texts->len;
    assert(texts->size - texts->len >= line_template_size(parts));
    buffer_append_string(texts, parts->name);
    buffer_append_char(texts, '{');
    template.head = text_since(texts, start);

    start = texts->len;
    append_set(texts, parts->before);
    append_set(texts, parts->number);
    buffer_append_string(texts, template.has_number ? "=\"" : "} ");
    template.before = text_since(texts, start);

    start = texts->len;
    if (template.has_number) {
        buffer_append_char(texts, '"');
        append_set(texts, parts->after);
        buffer_append_string(texts, "} ");
    }
    template.after = text_since(texts, start);
    template.most = template.head.len + template.before.len + DIGITS_MAX + template.after.len + LINE_BLOCK;
    return template;
}
