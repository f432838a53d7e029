/*
 * Expositions as messages of remote write. Each message is whole, its labels are sorted and have a value,
 * and it is the same whether the exposition arrives as a whole or line by line. What Snappy makes of
 * messages and of the input reads back.
 */
#include "base/snappy.h"
#include "fault.h"
#include "metrics/remote_write.h"
#include "snappy.h"
#include "target.h"

#include <stdlib.h>
#include <string.h>

#define OUT_MAX (16u * 1024 * 1024)

static const struct remote_write_label external[] = {{"job", "j"}, {"instance", "here"}};

/* --- Reading messages --- */

static uint64_t take_varint(struct slice *rest)
{
    uint64_t value = 0, byte = 0x80;
    for (unsigned shift = 0; byte & 0x80; shift += 7) {
        expect(rest->len > 0 && shift < 64);
        byte = (unsigned char) rest->data[0];
        value |= (byte & 0x7f) << shift;
        *rest = slice_from(*rest, 1);
    }
    return value;
}

static struct slice take_bytes(struct slice *rest, unsigned field)
{
    expect(take_varint(rest) == (field << 3 | 2));
    uint64_t len = take_varint(rest);
    expect(len <= rest->len);
    struct slice bytes = {rest->data, (size_t) len};
    *rest = slice_from(*rest, (size_t) len);
    return bytes;
}

static bool is_before(struct slice a, struct slice b)
{
    int order = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return order ? order < 0 : a.len <= b.len;
}

static void check_labels(struct slice *series)
{
    struct slice before = {0};
    unsigned count = 0;
    for (; series->len && series->data[0] == (1 << 3 | 2); count++) {
        struct slice label = take_bytes(series, 1), name = take_bytes(&label, 1),
                     value = take_bytes(&label, 2);
        expect(value.len > 0 && label.len == 0);
        expect(count == 0 || is_before(before, name));
        before = name;
    }
    expect(count > 0 && count <= REMOTE_WRITE_LABELS);
}

/* Returns the number of series. */
static size_t check_message(struct slice message, uint64_t timestamp_ms)
{
    size_t count = 0;
    for (; message.len; count++) {
        struct slice series = take_bytes(&message, 1);
        check_labels(&series);
        struct slice sample = take_bytes(&series, 2);
        expect(series.len == 0);
        expect(sample.len > 9 && sample.data[0] == (1 << 3 | 1));
        sample = slice_from(sample, 9);
        expect(take_varint(&sample) == 2 << 3 && take_varint(&sample) == timestamp_ms && sample.len == 0);
    }
    expect(count <= REMOTE_WRITE_SERIES);
    return count;
}

static void check_snappy(struct slice text)
{
    struct buffer out, again;
    buffer_init(&out, OUT_MAX);
    buffer_init(&again, OUT_MAX);
    snappy_append(&out, text);
    expect(snappy_read(buffer_slice(&out), &again));
    expect(slice_equal(buffer_slice(&again), text));
    buffer_deinit(&out);
    buffer_deinit(&again);
}

/* --- Writing them --- */

static void finish_message(struct buffer *message, uint64_t timestamp_ms, struct buffer *all)
{
    check_message(buffer_slice(message), timestamp_ms);
    check_snappy(buffer_slice(message));
    buffer_append_slice(all, buffer_slice(message));
    buffer_clear(message);
}

/* Appends the messages of one exposition to `all`. With `by_line`, its lines arrive one by one. */
static void convert(struct remote_write *write, struct slice text, bool by_line, uint64_t timestamp_ms,
                    struct buffer *all)
{
    struct buffer message;
    buffer_init(&message, OUT_MAX);
    remote_write_begin(write, (int64_t) timestamp_ms);
    while (text.len) {
        const char *end = by_line ? memchr(text.data, '\n', text.len) : NULL;
        struct slice part = {text.data, end ? (size_t) (end - text.data) + 1 : text.len};
        text = slice_from(text, part.len);
        while (remote_write_take(write, &part, &message)) finish_message(&message, timestamp_ms, all);
        expect(!memchr(part.data, '\n', part.len));
    }
    while (remote_write_end(write, &message)) finish_message(&message, timestamp_ms, all);
    finish_message(&message, timestamp_ms, all);
    buffer_deinit(&message);
}

/* A form feed separates expositions. */
static unsigned convert_all(struct slice text, bool by_line, size_t labels, struct buffer *all)
{
    struct remote_write write;
    remote_write_init(&write, external, labels);
    for (uint64_t round = 1; text.len; round++)
        convert(&write, slice_cut(&text, '\f'), by_line, round * 1000, all);
    unsigned skipped = write.skipped;
    remote_write_deinit(&write);
    return skipped;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, lines;
    if (size == 0) return 0;
    char *copy = malloc(size);
    if (!copy) fault("the fuzzer is out of memory");
    memcpy(copy, data, size);
    struct slice text = {copy, size};
    buffer_init(&whole, OUT_MAX);
    buffer_init(&lines, OUT_MAX);
    check_snappy(text);
    unsigned skipped = convert_all(text, false, size % 3, &whole);
    expect(convert_all(text, true, size % 3, &lines) == skipped);
    expect(slice_equal(buffer_slice(&whole), buffer_slice(&lines)));
    buffer_deinit(&whole);
    buffer_deinit(&lines);
    free(copy);
    return 0;
}
