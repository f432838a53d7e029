/*
 * Reads Snappy's block format. Written from the format's description, and takes every tag, so that it shares
 * no assumption with the encoder of the program.
 */
#ifndef SUPPORT_SNAPPY_H
#define SUPPORT_SNAPPY_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Takes a number of `count` bytes, the lowest first. Returns false if there are fewer. */
static inline bool snappy_take_number(struct slice *in, size_t count, size_t *value)
{
    if (count > in->len) return false;
    *value = 0;
    for (size_t n = 0; n < count; n++) *value |= (size_t) (unsigned char) in->data[n] << 8 * n;
    *in = slice_from(*in, count);
    return true;
}

static inline bool snappy_take_varint(struct slice *in, size_t *value)
{
    size_t byte = 0x80;
    *value = 0;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        if (shift > 28 || !snappy_take_number(in, 1, &byte)) return false;
        *value |= (byte & 0x7f) << shift;
    }
    return true;
}

static inline bool snappy_read_literal(struct slice *in, size_t tag, struct buffer *text)
{
    size_t len = tag >> 2;
    if (len >= 60 && !snappy_take_number(in, len - 59, &len)) return false;
    if (++len > in->len) return false;
    buffer_append(text, in->data, len);
    *in = slice_from(*in, len);
    return true;
}

static inline bool snappy_read_copy(struct slice *in, size_t tag, struct buffer *text)
{
    bool is_short = (tag & 3) == 1;
    size_t len = is_short ? (tag >> 2 & 7) + 4 : (tag >> 2) + 1, offset;
    if (!snappy_take_number(in, is_short ? 1 : (tag & 3) == 2 ? 2 : 4, &offset)) return false;
    if (is_short) offset |= tag >> 5 << 8;
    if (offset == 0 || offset > text->len) return false;
    for (size_t n = 0; n < len; n++) {
        char *at = buffer_reserve(text, 1);
        if (!at) return false;
        *at = text->data[text->len - offset];
        text->len++;
    }
    return true;
}

/* Appends the text of the compressed bytes to `text`, which is empty. Returns false if they are not whole. */
static inline bool snappy_read(struct slice in, struct buffer *text)
{
    size_t len, tag;
    if (!snappy_take_varint(&in, &len)) return false;
    while (in.len) {
        if (!snappy_take_number(&in, 1, &tag)) return false;
        if (!((tag & 3) == 0 ? snappy_read_literal : snappy_read_copy)(&in, tag, text)) return false;
    }
    return text->len == len && !text->failed;
}

#endif
