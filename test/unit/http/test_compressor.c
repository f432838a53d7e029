/* What goes in comes out again, however it was cut; and what happens without room. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/compressor.h"

#include <stdlib.h>
#include <uv.h>
#include <zlib.h>

#define LONG_TEXT (1024 * 1024)

static struct buffer text, packed;
static enum coding coding; /* at work */

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

static void expect_unpacked_zstd(struct slice expected)
{
    char *out = malloc(expected.len + 1);
    ZSTD_DCtx *zstd = ZSTD_createDCtx();
    ZSTD_inBuffer input = {packed.data, packed.len, 0};
    ZSTD_outBuffer output = {out, expected.len + 1, 0};
    assert_int_equal(ZSTD_decompressStream(zstd, &output, &input), 0);
    assert_int_equal(input.pos, packed.len);
    assert_int_equal(output.pos, expected.len);
    if (expected.len) assert_memory_equal(out, expected.data, expected.len);
    ZSTD_freeDCtx(zstd);
    free(out);
}

static void expect_unpacked_gzip(struct slice expected)
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

static void expect_unpacked(struct slice expected)
{
    if (coding == CODING_GZIP)
        expect_unpacked_gzip(expected);
    else
        expect_unpacked_zstd(expected);
}

static void pack(struct slice rest, size_t step)
{
    struct compressor compressor;
    assert_int_equal(compressor_init(&compressor, coding), 0);
    while (rest.len > step) {
        assert_int_equal(compressor_write(&compressor, (struct slice){rest.data, step}, false, &packed), 0);
        rest = slice_from(rest, step);
    }
    assert_int_equal(compressor_write(&compressor, rest, true, &packed), 0);
    compressor_deinit(&compressor);
}

static void test_whole(void **state)
{
    (void) state;
    pack(buffer_slice(&text), text.len);
    assert_true(packed.len < text.len / 3);
    expect_unpacked(buffer_slice(&text));
}

static void test_in_pieces(void **state)
{
    (void) state;
    static const size_t steps[] = {1, 1000, 65536};
    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
        struct slice start = {text.data, i == 0 ? 20000 : text.len};
        buffer_clear(&packed);
        pack(start, steps[i]);
        expect_unpacked(start);
    }
}

/* Texts that repeat give nothing for long, unless it is asked for. */
static void test_flush(void **state)
{
    (void) state;
    static char same[512 * 1024];
    struct compressor compressor;
    memset(same, 's', sizeof(same));
    buffer_clear(&packed);
    assert_int_equal(compressor_init(&compressor, coding), 0);
    size_t half = sizeof(same) / 2;
    assert_int_equal(compressor_write(&compressor, (struct slice){same, half}, false, &packed), 0);
    assert_int_equal(compressor_flush(&compressor, &packed), 0);
    assert_true(packed.len > 0);
    assert_int_equal(compressor_write(&compressor, (struct slice){same, half}, true, &packed), 0);
    compressor_deinit(&compressor);
    expect_unpacked((struct slice){same, sizeof(same)});
}

static void test_empty(void **state)
{
    (void) state;
    pack((struct slice){NULL, 0}, 1);
    expect_unpacked((struct slice){NULL, 0});
}

/* Output that cannot be shrunk fills its steps to the brim. */
static void test_noise(void **state)
{
    (void) state;
    uint32_t noise = 1;
    for (size_t i = 0; i < text.len; i++) {
        noise = noise * 1664525u + 1013904223u;
        text.data[i] = (char) (noise >> 24);
    }
    pack(buffer_slice(&text), 65536);
    expect_unpacked(buffer_slice(&text));
}

static void test_no_room(void **state)
{
    (void) state;
    struct compressor compressor;
    struct buffer small;
    buffer_init(&small, 1000);
    assert_int_equal(compressor_init(&compressor, coding), 0);
    assert_int_equal(compressor_write(&compressor, buffer_slice(&text), true, &small), UV_ENOMEM);
    assert_true(small.failed);
    compressor_deinit(&compressor);
    buffer_deinit(&small);
}

static void test_choice(void **state)
{
    (void) state;
    static const struct {
        const char *header;
        enum coding coding;
    } rows[] = {
        {"", CODING_IDENTITY},
        {"gzip", CODING_GZIP},
        {"zstd", CODING_ZSTD},
        {"gzip, zstd", CODING_ZSTD},
        {"deflate, gzip, br, zstd", CODING_ZSTD},
        {"gzip, zstd;q=0.5", CODING_GZIP},
        {"gzip;q=0.5, zstd;q=0.9", CODING_ZSTD},
        {"zstd;q=0", CODING_IDENTITY},
        {"zstd;q=0, gzip", CODING_GZIP},
        {"identity, zstd;q=0.5", CODING_IDENTITY},
        {"*", CODING_GZIP},
        {"br", CODING_IDENTITY},
    };
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        assert_string_equal(coding_name(coding_choose(slice_of(rows[n].header))),
                            coding_name(rows[n].coding));
    }
}

static int setup_gzip(void **state)
{
    coding = CODING_GZIP;
    return setup(state);
}

static int setup_zstd(void **state)
{
    coding = CODING_ZSTD;
    return setup(state);
}

int main(void)
{
#define BOTH(name)                                                                                           \
    {#name " gzip", name, setup_gzip, teardown, NULL},                                                       \
    {                                                                                                        \
#name " zstd", name, setup_zstd, teardown, NULL                                                      \
    }
    const struct CMUnitTest tests[] = {
        BOTH(test_whole),
        BOTH(test_in_pieces),
        BOTH(test_flush),
        BOTH(test_empty),
        BOTH(test_noise),
        BOTH(test_no_room),
        cmocka_unit_test(test_choice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
