/* What goes in comes out again, however it was cut; and what happens without room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/gzip.h"

#include <stdlib.h>
#include <uv.h>

#define LONG_TEXT (1024 * 1024)

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

static void expect_inflated(struct slice expected)
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
    struct gzip gzip;
    assert_int_equal(gzip_init(&gzip), 0);
    while (rest.len > step) {
        assert_int_equal(gzip_write(&gzip, (struct slice){rest.data, step}, false, &packed), 0);
        rest = slice_from(rest, step);
    }
    assert_int_equal(gzip_write(&gzip, rest, true, &packed), 0);
    gzip_deinit(&gzip);
}

static void test_whole(void **state)
{
    (void) state;
    pack(buffer_slice(&text), text.len);
    assert_true(packed.len < text.len / 3);
    expect_inflated(buffer_slice(&text));
}

static void test_in_pieces(void **state)
{
    (void) state;
    static const size_t steps[] = {1, 1000, 65536};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct slice start = {text.data, i == 0 ? 20000 : text.len};
        buffer_clear(&packed);
        pack(start, steps[i]);
        expect_inflated(start);
    }
}

static void test_empty(void **state)
{
    (void) state;
    pack((struct slice){NULL, 0}, 1);
    expect_inflated((struct slice){NULL, 0});
}

/* Output that zlib cannot shrink fills its steps to the brim. */
static void test_noise(void **state)
{
    (void) state;
    uint32_t noise = 1;
    for (size_t i = 0; i < text.len; i++) {
        noise = noise * 1664525u + 1013904223u;
        text.data[i] = (char) (noise >> 24);
    }
    pack(buffer_slice(&text), 65536);
    expect_inflated(buffer_slice(&text));
}

static void test_no_room(void **state)
{
    (void) state;
    struct gzip gzip;
    struct buffer small;
    buffer_init(&small, 1000);
    assert_int_equal(gzip_init(&gzip), 0);
    assert_int_equal(gzip_write(&gzip, buffer_slice(&text), true, &small), UV_ENOMEM);
    assert_true(small.failed);
    gzip_deinit(&gzip);
    buffer_deinit(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_in_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_noise, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
