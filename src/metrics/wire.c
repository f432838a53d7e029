#include "metrics/wire.h"

#include <string.h>

/* How the value after the field's number is encoded. */
enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_LENGTH = 2 };

void wire_append_varint(struct buffer *out, uint64_t value)
{
    char text[WIRE_VARINT_MAX];
    buffer_append(out, text, (size_t) (wire_put_varint(text, value) - text));
}

static void append_key(struct buffer *out, unsigned field, enum wire_type type)
{
    wire_append_varint(out, (uint64_t) field << 3 | type);
}

void wire_put_uint(struct buffer *out, unsigned field, uint64_t value)
{
    append_key(out, field, WIRE_VARINT);
    wire_append_varint(out, value);
}

/* Encodes numbers near zero as small numbers: 0, -1, 1, -2 become 0, 1, 2, 3. */
void wire_put_sint(struct buffer *out, unsigned field, int64_t value)
{
    uint64_t folded = (uint64_t) value << 1;
    wire_put_uint(out, field, value < 0 ? ~folded : folded);
}

/* Writes the lowest byte first on any machine. */
void wire_put_double(struct buffer *out, unsigned field, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    bits = htole64(bits);
    append_key(out, field, WIRE_FIXED64);
    buffer_append(out, (const char *) &bits, sizeof(bits));
}

void wire_put_string(struct buffer *out, unsigned field, struct slice value)
{
    append_key(out, field, WIRE_LENGTH);
    wire_append_varint(out, value.len);
    buffer_append_slice(out, value);
}

size_t wire_begin(struct buffer *out, unsigned field)
{
    append_key(out, field, WIRE_LENGTH);
    buffer_append_char(out, 0);
    return out->len;
}

void wire_end(struct buffer *out, size_t begin)
{
    char length[WIRE_VARINT_MAX];
    if (out->failed) return;
    size_t content = out->len - begin, more = (size_t) (wire_put_varint(length, content) - length) - 1;
    if (more) {
        if (!buffer_reserve(out, more)) return;
        memmove(out->data + begin + more, out->data + begin, content);
        out->len += more;
    }
    memcpy(out->data + begin - 1, length, more + 1);
}
