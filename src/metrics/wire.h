/*
 * The wire format of protocol buffers, as far as an exposition needs it. Appends fields to a message in a
 * buffer. Pure; knows no schema. After a buffer has failed, nothing is written to it.
 *
 * Facts: https://protobuf.dev/programming-guides/encoding/.
 */
#ifndef METRICS_WIRE_H
#define METRICS_WIRE_H

#include "base/buffer.h"
#include "base/slice.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

#define WIRE_VARINT_MAX 10

/*
 * Writes a number without a field: one to ten bytes with seven bits each, lowest bits first. Returns the
 * position behind it.
 */
static inline char *wire_put_varint(char *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (char) (value | 0x80);
        value >>= 7;
    }
    *at++ = (char) value;
    return at;
}

void wire_append_varint(struct buffer *out, uint64_t value);

/*
 * Append a field with its number in the schema. The types are: uint64, int64, int32 and enums; sint64 and
 * sint32; double; string and bytes.
 */
void wire_put_uint(struct buffer *out, unsigned field, uint64_t value);
void wire_put_sint(struct buffer *out, unsigned field, int64_t value);
void wire_put_double(struct buffer *out, unsigned field, double value);
void wire_put_string(struct buffer *out, unsigned field, struct slice value);

/*
 * Fields that are known to be short are written to memory that was taken before: a field's number below 16,
 * and at most 127 bytes. Each returns the position behind the field, or behind the length that begins it.
 */
#define WIRE_SHORT_MAX 127

static inline char *wire_short_begin(char *at, unsigned field, size_t len)
{
    *at++ = (char) (field << 3 | 2);
    *at++ = (char) len;
    return at;
}

static inline char *wire_short_string(char *at, unsigned field, struct slice value)
{
    return slice_put_short(wire_short_begin(at, field, value.len), value);
}

static inline char *wire_short_double(char *at, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htole64(bits);
    *at++ = (char) (field << 3 | 1);
    memcpy(at, &bits, sizeof(bits));
    return at + sizeof(bits);
}

/*
 * Append a field that is a message, or a string made piece by piece. Its content is all that is appended
 * between the two calls. Calls may nest. `begin` is the result of wire_begin. wire_end inserts the length and
 * moves the content by a few bytes.
 */
size_t wire_begin(struct buffer *out, unsigned field);
void wire_end(struct buffer *out, size_t begin);

#endif
