/*
 * The wire format of protocol buffers, as far as an exposition needs it: fields are appended to a message
 * that grows in a buffer. Pure; knows no schema. A failed buffer stays failed and is otherwise left alone.
 *
 * Facts: https://protobuf.dev/programming-guides/encoding/.
 */
#ifndef METRICS_WIRE_H
#define METRICS_WIRE_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

/* A bare number of one to ten bytes, seven bits in each, the lowest first. */
void wire_append_varint(struct buffer *out, uint64_t value);

/* Fields by their number in the schema: uint64, int64, int32 and enums; sint64 and sint32; double; string and
 * bytes. */
void wire_put_uint(struct buffer *out, unsigned field, uint64_t value);
void wire_put_sint(struct buffer *out, unsigned field, int64_t value);
void wire_put_double(struct buffer *out, unsigned field, double value);
void wire_put_string(struct buffer *out, unsigned field, struct slice value);

/*
 * A field that is a message, or a string made piece by piece: what is appended between the two calls is its
 * content. They nest. `begin` is what wire_begin returned; the length is put there once it is known, and
 * moves the content by its few bytes.
 */
size_t wire_begin(struct buffer *out, unsigned field);
void wire_end(struct buffer *out, size_t begin);

#endif
