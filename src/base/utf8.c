#include "base/utf8.h"

static bool in_range(unsigned char byte, unsigned char low, unsigned char high)
{
    return byte >= low && byte <= high;
}

size_t utf8_sequence(struct slice text)
{
    const unsigned char *byte = (const unsigned char *) text.data;
    /* Range of the second byte. It depends on the first byte; all further bytes have the default range. */
    unsigned char low = 0x80, high = 0xbf;
    size_t len;

    if (byte[0] < 0x80) return 1;
    if (in_range(byte[0], 0xc2, 0xdf))
        len = 2;
    else if (in_range(byte[0], 0xe0, 0xef))
        len = 3;
    else if (in_range(byte[0], 0xf0, 0xf4))
        len = 4;
    else
        return 0;

    if (byte[0] == 0xe0) low = 0xa0;
    if (byte[0] == 0xed) high = 0x9f;
    if (byte[0] == 0xf0) low = 0x90;
    if (byte[0] == 0xf4) high = 0x8f;

    if (text.len < len || !in_range(byte[1], low, high)) return 0;
    for (size_t i = 2; i < len; i++) {
        if (!in_range(byte[i], 0x80, 0xbf)) return 0;
    }
    return len;
}

bool utf8_is_valid(struct slice text)
{
    while (text.len) {
        size_t len = utf8_sequence(text);
        if (len == 0) return false;
        text = slice_from(text, len);
    }
    return true;
}

/*
 * Returns the code point of a sequence of `len` bytes. Returns 0 for four bytes, since is_control knows no
 * such code point.
 */
static unsigned code_point(const char *text, size_t len)
{
    const unsigned char *byte = (const unsigned char *) text;
    return len == 1   ? byte[0]
           : len == 2 ? (byte[0] & 0x1fu) << 6 | (byte[1] & 0x3fu)
           : len == 3 ? (byte[0] & 0x0fu) << 12 | (byte[1] & 0x3fu) << 6 | (byte[2] & 0x3fu)
                      : 0;
}

/*
 * Returns true for control characters, and for characters that make a terminal misrepresent a line. These are
 * the C0 and C1 controls, DEL, the bidirectional marks, and the line and paragraph separators.
 */
static bool is_control(unsigned code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x61c || code == 0x200e ||
           code == 0x200f || (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069);
}

size_t utf8_visible(struct slice text)
{
    size_t len = utf8_sequence(text);
    return len == 0 || len == 4 || !is_control(code_point(text.data, len)) ? len : 0;
}

void utf8_append_escaped(struct buffer *out, struct slice text)
{
    while (text.len) {
        size_t len = utf8_sequence(text);
        unsigned char c = (unsigned char) text.data[0];
        if (len == 0) {
            buffer_append_string(out, UTF8_REPLACEMENT);
            len = 1;
        } else if (c == '"' || c == '\\') {
            buffer_append_char(out, '\\');
            buffer_append_char(out, (char) c);
        } else if (c == '\n') {
            buffer_append_string(out, "\\n");
        } else if (len < 4 && is_control(code_point(text.data, len))) {
            buffer_printf(out, "\\u%04x", code_point(text.data, len));
        } else {
            buffer_append(out, text.data, len);
        }
        text = slice_from(text, len);
    }
}
