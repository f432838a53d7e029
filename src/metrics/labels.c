#include "metrics/labels.h"

#include "base/utf8.h"

#include <string.h>

/* --- Writing --- */

/* Returns how many bytes at the beginning are ASCII characters that are written as they are. */
static size_t plain_length(struct slice value)
{
    size_t len = 0;
    while (len < value.len && value.data[len] >= ' ' && value.data[len] <= '~' && value.data[len] != '"' &&
           value.data[len] != '\\')
        len++;
    return len;
}

/*
 * Escapes quotes, backslashes and newlines. Replaces bytes that are not UTF-8 and characters that a terminal
 * would act upon, but for tabs: values come from servers, and people look at an exposition.
 */
static void append_label_value(struct buffer *out, struct slice value)
{
    for (;;) {
        size_t plain = plain_length(value);
        buffer_append(out, value.data, plain);
        value = slice_from(value, plain);
        if (value.len == 0) return;
        char c = value.data[0];
        size_t len = c == '\t' ? 1 : utf8_visible(value);
        if (c == '\n') {
            buffer_append_string(out, "\\n");
            len = 1;
        } else if (len == 0) {
            buffer_append_string(out, UTF8_REPLACEMENT);
            len = 1;
        } else if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, c);
        } else {
            buffer_append(out, value.data, len);
        }
        value = slice_from(value, len);
    }
}

/* Nearly all values are plain. A plain value is copied with what stands before it. */
void labels_append(struct buffer *labels, const char *name, struct slice value)
{
    const struct slice before = slice_of(name), plain = {value.data, plain_length(value)};
    char *at = buffer_reserve(labels, strlen(",=\"") + before.len + plain.len);
    if (!at) return;
    if (labels->len) *at++ = ',';
    at = slice_put(slice_put_short(at, before), SLICE("=\""));
    at = slice_put_short(at, plain);
    labels->len = (size_t) (at - labels->data);
    if (plain.len < value.len) append_label_value(labels, slice_from(value, plain.len));
    buffer_append_char(labels, '"');
}

/* --- Reading --- */

/*
 * Returns the length up to the quote that ends a value. A backslash escapes the next byte. Without such a
 * quote, returns the whole length.
 */
static size_t value_length(struct slice text)
{
    const char *quote = text.len ? memchr(text.data, '"', text.len) : NULL;
    size_t at = 0;
    if (!quote) return text.len;
    if (!memchr(text.data, '\\', (size_t) (quote - text.data))) return (size_t) (quote - text.data);
    while (at < text.len && text.data[at] != '"') at += text.data[at] == '\\' ? 2 : 1;
    return at < text.len ? at : text.len;
}

bool labels_next(struct slice *labels, struct label *label)
{
    struct slice rest = *labels;
    *labels = SLICE("");
    label->name = slice_cut(&rest, '=');
    if (!slice_starts(rest, "\"")) return false;
    rest = slice_from(rest, 1);
    label->escaped = (struct slice){rest.data, value_length(rest)};
    if (label->escaped.len == rest.len) return false;
    rest = slice_from(rest, label->escaped.len + 1);
    if (slice_starts(rest, ",")) *labels = slice_from(rest, 1);
    return true;
}

void label_append_value(struct buffer *out, const struct label *label)
{
    struct slice rest = label->escaped;
    while (rest.len) {
        buffer_append_slice(out, slice_cut(&rest, '\\'));
        if (rest.len == 0) return;
        buffer_append_char(out, (char) (rest.data[0] == 'n' ? '\n' : rest.data[0]));
        rest = slice_from(rest, 1);
    }
}
