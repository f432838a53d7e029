#include "base/base64.h"

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* The last group of four characters may end with one or two padding characters ('='). */
bool base64_decode(struct slice text, struct buffer *out)
{
    if (text.len % 4 != 0) return false;
    for (; text.len; text = slice_from(text, 4)) {
        size_t count = text.len > 4 || text.data[3] != '=' ? 4 : text.data[2] != '=' ? 3 : 2;
        unsigned bits = 0;
        for (size_t n = 0; n < 4; n++) {
            int value = n < count ? value_of(text.data[n]) : 0;
            if (value < 0) return false;
            bits = bits << 6 | (unsigned) value;
        }
        for (size_t n = 0; n + 1 < count; n++) buffer_append_char(out, (char) (bits >> (16 - 8 * n) & 0xff));
    }
    return !out->failed;
}
