#include "web/html.h"

#include "base/utf8.h"

#include <string.h>

static void append_byte(struct buffer *page, char c)
{
    switch (c) {
    case '&':
        buffer_append_string(page, "&amp;");
        break;
    case '<':
        buffer_append_string(page, "&lt;");
        break;
    case '>':
        buffer_append_string(page, "&gt;");
        break;
    case '"':
        buffer_append_string(page, "&quot;");
        break;
    default:
        buffer_append_char(page, c);
    }
}

void html_append(struct buffer *page, struct slice text)
{
    while (text.len) {
        size_t len = utf8_visible(text);
        if (len == 1) {
            append_byte(page, text.data[0]);
        } else if (len > 1) {
            buffer_append(page, text.data, len);
        } else {
            len = utf8_sequence(text);
            if (len == 0) len = 1;
            utf8_append_escaped(page, (struct slice){text.data, len});
        }
        text = slice_from(text, len);
    }
}

static void append_url_byte(struct buffer *page, char c, bool plain)
{
    if (plain)
        buffer_append_char(page, c);
    else
        buffer_printf(page, "%%%02X", (unsigned) (unsigned char) c);
}

void html_append_path(struct buffer *page, const char *path)
{
    for (; *path; path++)
        append_url_byte(page, *path, *path > ' ' && *path < 0x7f && !strchr("\"#%&<>?\\^`{|}", *path));
}

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c && strchr("-._~:/", c));
}

void html_append_query_value(struct buffer *page, struct slice value)
{
    for (size_t n = 0; n < value.len; n++) append_url_byte(page, value.data[n], is_unreserved(value.data[n]));
}
