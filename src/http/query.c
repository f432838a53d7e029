#include "http/query.h"

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

/*
 * Appends the decoded text to `out`. Returns false for a malformed escape or an escape for NUL. No address,
 * name or path contains NUL, and C functions would cut the text there.
 */
static bool decode(struct slice text, bool plus_is_blank, struct buffer *out)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        if (c == '%') {
            int high = i + 2 < text.len ? hex_value(text.data[i + 1]) : -1;
            int low = i + 2 < text.len ? hex_value(text.data[i + 2]) : -1;
            if (high < 0 || low < 0 || (high == 0 && low == 0)) return false;
            c = (char) (high * 16 + low);
            i += 2;
        } else if (c == '+' && plus_is_blank) {
            c = ' ';
        }
        buffer_append_char(out, c);
    }
    return true;
}

/* Decodes `text` to the end of `storage`, which has room for it. */
static bool decode_in_place(struct slice text, struct buffer *storage, struct slice *decoded)
{
    size_t start = storage->len;
    if (!decode(text, true, storage)) return false;
    *decoded = slice_from(buffer_slice(storage), start);
    return true;
}

enum query_outcome query_next(struct slice *rest, struct buffer *storage, struct slice *name,
                              struct slice *value)
{
    while (rest->len) {
        if (storage->len == 0 && !buffer_reserve(storage, rest->len)) return QUERY_NO_MEMORY;
        struct slice raw_value = slice_cut(rest, '&');
        if (raw_value.len == 0) continue;
        struct slice raw_name = slice_cut(&raw_value, '=');
        bool good = decode_in_place(raw_name, storage, name) && decode_in_place(raw_value, storage, value);
        return good ? QUERY_PAIR : QUERY_MALFORMED;
    }
    return QUERY_END;
}

bool path_decode(struct slice path, struct buffer *out)
{
    return decode(path, false, out);
}
