#include "base/snappy.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

/*
 * The text is compressed in blocks. Copies do not reach behind the beginning of a block, so that two bytes
 * hold every offset, and a hash table of 16-bit places serves for one block.
 */
#define BLOCK     65536
#define HASH_BITS 14

#define COPY_MIN 4
#define COPY_MAX 64

enum tag { TAG_LITERAL = 0, TAG_COPY_2 = 2 };

static void append_varint(struct buffer *out, size_t value)
{
    for (; value >= 0x80; value >>= 7) buffer_append_char(out, (char) (value | 0x80));
    buffer_append_char(out, (char) value);
}

/* Appends bytes as they are; at most a block. */
static void append_literal(struct buffer *out, const char *bytes, size_t len)
{
    if (len == 0) return;
    size_t n = len - 1;
    if (n < 60) {
        buffer_append_char(out, (char) (n << 2 | TAG_LITERAL));
    } else if (n < 256) {
        buffer_append_char(out, (char) (60 << 2 | TAG_LITERAL));
        buffer_append_char(out, (char) n);
    } else {
        buffer_append_char(out, (char) (61 << 2 | TAG_LITERAL));
        buffer_append_char(out, (char) n);
        buffer_append_char(out, (char) (n >> 8));
    }
    buffer_append(out, bytes, len);
}

static void append_copy(struct buffer *out, size_t offset, size_t len)
{
    while (len > 0) {
        size_t part = len < COPY_MAX ? len : COPY_MAX;
        buffer_append_char(out, (char) ((part - 1) << 2 | TAG_COPY_2));
        buffer_append_char(out, (char) offset);
        buffer_append_char(out, (char) (offset >> 8));
        len -= part;
    }
}

static uint32_t read_four(const char *at)
{
    uint32_t four;
    memcpy(&four, at, sizeof(four));
    return four;
}

static void append_block(struct buffer *out, const char *block, size_t len)
{
    uint16_t places[1 << HASH_BITS];
    size_t at = 0, literal = 0;
    memset(places, 0, sizeof(places));
    while (at + COPY_MIN <= len) {
        uint32_t four = read_four(block + at), hash = (four * 0x1e35a7bdu) >> (32 - HASH_BITS);
        size_t earlier = places[hash];
        places[hash] = (uint16_t) at;
        if (earlier >= at || read_four(block + earlier) != four) {
            /* The longer nothing was found, the larger the steps: text that does not repeat costs little. */
            at += 1 + ((at - literal) >> 5);
            continue;
        }
        size_t same = COPY_MIN;
        while (at + same < len && block[earlier + same] == block[at + same]) same++;
        append_literal(out, block + literal, at - literal);
        append_copy(out, at - earlier, same);
        at += same;
        literal = at;
    }
    append_literal(out, block + literal, len - literal);
}

void snappy_append(struct buffer *out, struct slice text)
{
    assert(text.len <= SNAPPY_TEXT_MAX);
    append_varint(out, text.len);
    for (size_t at = 0; at < text.len; at += BLOCK) {
        size_t len = text.len - at < BLOCK ? text.len - at : BLOCK;
        append_block(out, text.data + at, len);
    }
}
