/*
 * Prints delimited MetricFamily messages as text that a test can compare. Include this header after
 * <cmocka.h>.
 */
#ifndef SUPPORT_PROTOBUF_H
#define SUPPORT_PROTOBUF_H

#include "base/buffer.h"
#include "base/container.h"
#include "base/number.h"

#include <string.h>

enum message {
    FAMILY,
    METRIC,
    LABEL,
    NUMBER,
    SUMMARY,
    QUANTILE,
    HISTOGRAM,
    BUCKET,
    SPAN,
    EXEMPLAR,
    TIME,
};

enum kind { UINT, SINT, DOUBLE, STRING, MESSAGE };

static const struct schema_field {
    enum message message;
    unsigned number;
    const char *name;
    enum kind kind;
    enum message content; /* type of a MESSAGE */
} schema[] = {
    {FAMILY, 1, "name", STRING, 0},
    {FAMILY, 2, "help", STRING, 0},
    {FAMILY, 3, "type", UINT, 0},
    {FAMILY, 4, "metric", MESSAGE, METRIC},
    {FAMILY, 5, "unit", STRING, 0},
    {METRIC, 1, "label", MESSAGE, LABEL},
    {METRIC, 2, "gauge", MESSAGE, NUMBER},
    {METRIC, 3, "counter", MESSAGE, NUMBER},
    {METRIC, 4, "summary", MESSAGE, SUMMARY},
    {METRIC, 5, "untyped", MESSAGE, NUMBER},
    {METRIC, 7, "histogram", MESSAGE, HISTOGRAM},
    {LABEL, 1, "name", STRING, 0},
    {LABEL, 2, "value", STRING, 0},
    {NUMBER, 1, "value", DOUBLE, 0},
    {NUMBER, 3, "created", MESSAGE, TIME},
    {SUMMARY, 1, "count", UINT, 0},
    {SUMMARY, 2, "sum", DOUBLE, 0},
    {SUMMARY, 3, "quantile", MESSAGE, QUANTILE},
    {SUMMARY, 4, "created", MESSAGE, TIME},
    {QUANTILE, 1, "quantile", DOUBLE, 0},
    {QUANTILE, 2, "value", DOUBLE, 0},
    {HISTOGRAM, 1, "count", UINT, 0},
    {HISTOGRAM, 2, "sum", DOUBLE, 0},
    {HISTOGRAM, 3, "bucket", MESSAGE, BUCKET},
    {HISTOGRAM, 5, "schema", SINT, 0},
    {HISTOGRAM, 6, "zero_threshold", DOUBLE, 0},
    {HISTOGRAM, 7, "zero_count", UINT, 0},
    {HISTOGRAM, 12, "span", MESSAGE, SPAN},
    {HISTOGRAM, 13, "delta", SINT, 0},
    {HISTOGRAM, 15, "created", MESSAGE, TIME},
    {BUCKET, 1, "count", UINT, 0},
    {BUCKET, 2, "bound", DOUBLE, 0},
    {BUCKET, 3, "exemplar", MESSAGE, EXEMPLAR},
    {SPAN, 1, "offset", SINT, 0},
    {SPAN, 2, "length", UINT, 0},
    {EXEMPLAR, 1, "label", MESSAGE, LABEL},
    {EXEMPLAR, 2, "value", DOUBLE, 0},
    {EXEMPLAR, 3, "time", MESSAGE, TIME},
    {TIME, 1, "seconds", UINT, 0},
    {TIME, 2, "nanos", UINT, 0},
};

static inline uint64_t protobuf_take_varint(struct slice *bytes)
{
    uint64_t value = 0;
    unsigned char byte;
    unsigned shift = 0;
    do {
        assert_true(bytes->len > 0 && shift < 64);
        byte = (unsigned char) bytes->data[0];
        value |= (uint64_t) (byte & 0x7f) << shift;
        shift += 7;
        *bytes = slice_from(*bytes, 1);
    } while (byte & 0x80);
    return value;
}

static inline struct slice protobuf_take(struct slice *bytes, size_t len)
{
    struct slice taken = {bytes->data, len};
    assert_true(len <= bytes->len);
    *bytes = slice_from(*bytes, len);
    return taken;
}

static inline const struct schema_field *protobuf_find(enum message message, uint64_t key)
{
    static const unsigned wire_types[] = {[UINT] = 0, [SINT] = 0, [DOUBLE] = 1, [STRING] = 2, [MESSAGE] = 2};
    for (size_t n = 0; n < ARRAY_LEN(schema); n++) {
        if (schema[n].message != message || schema[n].number != key >> 3) continue;
        assert_int_equal(wire_types[schema[n].kind], key & 7);
        return &schema[n];
    }
    fail_msg("message %d has no field %u", (int) message, (unsigned) (key >> 3));
    return NULL;
}

static inline void protobuf_print_double(struct buffer *out, struct slice bytes)
{
    double value;
    uint64_t bits = 0;
    for (size_t n = 8; n-- > 0;) bits = bits << 8 | (unsigned char) bytes.data[n];
    memcpy(&value, &bits, sizeof(value));
    number_append_double(out, value);
}

/* Prints the fields as name=value or name{...}, in their order in the message. */
static inline void protobuf_print(struct buffer *out, enum message message, struct slice bytes)
{
    for (bool first = true; bytes.len; first = false) {
        const struct schema_field *field = protobuf_find(message, protobuf_take_varint(&bytes));
        buffer_printf(out, "%s%s%s", first ? "" : " ", field->name, field->kind == MESSAGE ? "{" : "=");
        if (field->kind == UINT) {
            buffer_append_u64(out, protobuf_take_varint(&bytes));
        } else if (field->kind == SINT) {
            uint64_t folded = protobuf_take_varint(&bytes);
            buffer_printf(out, "%lld", (long long) (folded >> 1 ^ (0 - (folded & 1))));
        } else if (field->kind == DOUBLE) {
            protobuf_print_double(out, protobuf_take(&bytes, 8));
        } else if (field->kind == STRING) {
            buffer_append_slice(out, protobuf_take(&bytes, protobuf_take_varint(&bytes)));
        } else {
            protobuf_print(out, field->content, protobuf_take(&bytes, protobuf_take_varint(&bytes)));
            buffer_append_char(out, '}');
        }
    }
}

/* Returns the first of several delimited messages, and removes it from `bytes`. */
static inline struct slice protobuf_next(struct slice *bytes)
{
    return protobuf_take(bytes, protobuf_take_varint(bytes));
}

/* Prints a line for each family. */
static inline void protobuf_print_all(struct buffer *out, struct slice bytes)
{
    while (bytes.len) {
        protobuf_print(out, FAMILY, protobuf_next(&bytes));
        buffer_append_char(out, '\n');
    }
}

#endif
