/*
 * What goes in comes out again, however it was cut, however its output falls into the room; and what happens
 * without room. Built with each implementation; a reader of neither, zlib's inflate, unpacks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/gzip.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>
#include <zlib.h>

#define LONG_TEXT (1024 * 1024)

/* What an implementation asks room for at a time. */
#define STEP (16 * 1024)

static struct buffer text, packed;

static int setup(void **state)
{
    (void) state;
    buffer_init(&text, 2 * LONG_TEXT);
    buffer_init(&packed, 2 * LONG_TEXT);
    for (unsigned n = 0; text.len < LONG_TEXT; n++) {
        buffer_printf(&text, "memcached_up{instance=\"cache-%u:11211\"} %u\n", n, n * 2654435761u);
    }
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    buffer_deinit(&text);
    buffer_deinit(&packed);
    return 0;
}

/* Bytes that cannot be shrunk. */
static void make_noise(void)
{
    uint32_t noise = 1;
    for (size_t i = 0; i < text.len; i++) {
        noise = noise * 1664525u + 1013904223u;
        text.data[i] = (char) (noise >> 24);
    }
}

static void expect_unpacked(struct slice expected)
{
    z_stream stream = {.next_in = (Bytef *) packed.data, .avail_in = (uInt) packed.len};
    char *out = malloc(expected.len + 1);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_out = (Bytef *) out;
    stream.avail_out = (uInt) expected.len + 1;
    assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    assert_int_equal(stream.total_out, expected.len);
    if (expected.len) assert_memory_equal(out, expected.data, expected.len);
    inflateEnd(&stream);
    free(out);
}

static void pack(struct slice rest, size_t step)
{
    struct gzip *gzip = gzip_new();
    buffer_clear(&packed);
    assert_non_null(gzip);
    while (rest.len > step) {
        assert_int_equal(gzip_write(gzip, (struct slice){rest.data, step}, GZIP_MORE, &packed), 0);
        rest = slice_from(rest, step);
    }
    assert_int_equal(gzip_write(gzip, rest, GZIP_LAST, &packed), 0);
    gzip_free(gzip);
}

static void test_in_pieces(void **state)
{
    (void) state;
    static const struct {
        size_t len, step;
    } rows[] = {{0, 1}, {1, 1}, {20000, 1}, {LONG_TEXT, 1000}, {LONG_TEXT, 65536}, {LONG_TEXT, LONG_TEXT}};
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        struct slice start = {text.data, rows[n].len};
        pack(start, rows[n].step);
        expect_unpacked(start);
    }
    assert_true(packed.len < LONG_TEXT / 3);
}

/* The end of the output comes at each place of a step: with no room left, with a little, with much. */
static void test_every_end(void **state)
{
    (void) state;
    make_noise();
    for (size_t len = STEP - 64; len <= STEP + 16; len++) {
        pack((struct slice){text.data, len}, len);
        expect_unpacked((struct slice){text.data, len});
    }
    pack(buffer_slice(&text), 65536);
    expect_unpacked(buffer_slice(&text));
}

/* All that was fed so far can be read after a flush. */
static void test_flush(void **state)
{
    (void) state;
    struct gzip *gzip = gzip_new();
    char out[4096];
    z_stream stream = {.next_out = (Bytef *) out, .avail_out = sizeof(out)};
    assert_non_null(gzip);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    for (size_t n = 0; n < 4; n++) {
        struct slice piece = {text.data + 1000 * n, 1000};
        buffer_clear(&packed);
        assert_int_equal(gzip_write(gzip, piece, GZIP_MORE, &packed), 0);
        assert_int_equal(gzip_write(gzip, (struct slice){NULL, 0}, GZIP_FLUSH, &packed), 0);
        stream.next_in = (Bytef *) packed.data;
        stream.avail_in = (uInt) packed.len;
        assert_int_equal(inflate(&stream, Z_SYNC_FLUSH), Z_OK);
        assert_int_equal(stream.total_out, 1000 * (n + 1));
    }
    assert_memory_equal(out, text.data, 4000);
    inflateEnd(&stream);
    gzip_free(gzip);
}

static void test_no_room(void **state)
{
    (void) state;
    struct gzip *gzip = gzip_new();
    struct buffer small;
    buffer_init(&small, 1000);
    assert_non_null(gzip);
    assert_int_equal(gzip_write(gzip, buffer_slice(&text), GZIP_LAST, &small), UV_ENOMEM);
    assert_true(small.failed);
    gzip_free(gzip);
    buffer_deinit(&small);
}

static void test_free_nothing(void **state)
{
    (void) state;
    gzip_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_end, setup, teardown),
        cmocka_unit_test_setup_teardown(test_flush, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test(test_free_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
