/* What is compressed reads back; integration/test_remote_write.py lets Prometheus decode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/snappy.h"
#include "snappy.h"

#include <stdlib.h>
#include <string.h>

/* Returns the compressed length. */
static size_t expect_same(const char *bytes, size_t len)
{
    struct buffer out, text;
    buffer_init(&out, SIZE_MAX / 2);
    snappy_append(&out, (struct slice){bytes, len});
    assert_false(out.failed);
    size_t compressed = out.len;
    buffer_init(&text, SIZE_MAX / 2);
    assert_true(snappy_read(buffer_slice(&out), &text));
    assert_int_equal(text.len, len);
    assert_memory_equal(text.data, bytes, len);
    buffer_deinit(&text);
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
