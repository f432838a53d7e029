/*
 * What is compressed reads back. The decoder is written from the format's description and takes every tag,
 * so that it shares no assumption with the encoder; integration/test_remote_write.py lets Prometheus decode.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/snappy.h"

#include <stdlib.h>
#include <string.h>

struct reader {
    const unsigned char *at, *end;
};

static size_t read_bytes(struct reader *reader, unsigned count)
{
    size_t value = 0;
    assert_true(reader->at + count <= reader->end);
    for (unsigned n = 0; n < count; n++) value |= (size_t) *reader->at++ << 8 * n;
    return value;
}

static size_t read_varint(struct reader *reader)
{
    size_t value = 0, byte;
    unsigned shift = 0;
    do {
        byte = read_bytes(reader, 1);
        value |= (byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    return value;
}

static void read_element(struct reader *reader, char *text, size_t size, size_t *len)
{
    size_t tag = read_bytes(reader, 1), count, offset = 0;
    switch (tag & 3) {
    case 0:
        count = tag >> 2;
        if (count >= 60) count = read_bytes(reader, (unsigned) count - 59);
        count++;
        assert_true(reader->at + count <= reader->end && *len + count <= size);
        memcpy(text + *len, reader->at, count);
        reader->at += count;
        *len += count;
        return;
    case 1:
        count = (tag >> 2 & 7) + 4;
        offset = (tag >> 5) << 8 | read_bytes(reader, 1);
        break;
    default:
        count = (tag >> 2) + 1;
        offset = read_bytes(reader, (tag & 3) == 2 ? 2 : 4);
    }
    assert_true(offset > 0 && offset <= *len && *len + count <= size);
    for (size_t n = 0; n < count; n++, ++*len) text[*len] = text[*len - offset];
}

/* Returns the compressed length. */
static size_t expect_same(const char *bytes, size_t len)
{
    struct buffer out;
    buffer_init(&out, SIZE_MAX / 2);
    snappy_append(&out, (struct slice){bytes, len});
    assert_false(out.failed);
    struct reader reader = {(const unsigned char *) out.data, (const unsigned char *) out.data + out.len};
    size_t size = read_varint(&reader), read = 0, compressed = out.len;
    assert_int_equal(size, len);
    char *text = malloc(size + 1);
    assert_non_null(text);
    while (reader.at < reader.end) read_element(&reader, text, size, &read);
    assert_int_equal(read, len);
    assert_memory_equal(text, bytes, len);
    free(text);
    buffer_deinit(&out);
    return compressed;
}

static void test_short_texts(void **state)
{
    static const char text[] =
        "abcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabcabc";
    (void) state;
    for (size_t len = 0; len < sizeof(text); len++) expect_same(text, len);
    assert_true(expect_same(text, sizeof(text)) < 20);
}

/* Literals of every kind of length, text that repeats, and both mixed, over the ends of blocks. */
static void test_long_texts(void **state)
{
    static const size_t lengths[] = {59, 60, 61, 255, 256, 257, 4096, 65535, 65536, 65537, 200000};
    uint32_t dice = 1;
    char *text = malloc(200000);
    assert_non_null(text);
    (void) state;
    for (unsigned kind = 0; kind < 3; kind++) {
        for (size_t n = 0; n < 200000; n++) {
            dice = dice * 1664525 + 1013904223;
            bool repeats = kind == 1 || (kind == 2 && n / 700 % 2);
            text[n] = repeats ? (char) ('a' + n % 37) : (char) (dice >> 24);
        }
        for (size_t n = 0; n < sizeof(lengths) / sizeof(lengths[0]); n++) {
            size_t compressed = expect_same(text, lengths[n]);
            if (kind == 1 && lengths[n] > 4000) assert_true(compressed < lengths[n] / 10);
            assert_true(compressed < lengths[n] + lengths[n] / 6 + 32);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_short_texts),
        cmocka_unit_test(test_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
