/* Labels as protobuf's description of its wire format spells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/label_pairs.h"

#include <stdio.h>

static int setup(void **state)
{
    static struct buffer out;
    buffer_init(&out, 1024);
    *state = &out;
    return 0;
}

static int teardown(void **state)
{
    buffer_deinit(*state);
    return 0;
}

/* What was appended since the last time. */
#define EXPECT(out, literal)                                                                                 \
    do {                                                                                                     \
        assert_int_equal((out)->len, sizeof(literal) - 1);                                                   \
        assert_memory_equal((out)->data, literal, sizeof(literal) - 1);                                      \
        buffer_clear(out);                                                                                   \
    } while (0)

static void test_rendered_labels(void **state)
{
    struct buffer *out = *state;
    label_pairs_append(out, SLICE(""));
    EXPECT(out, "");
    label_pairs_append(out, SLICE("a=\"1\",bc=\"\""));
    EXPECT(out, "\x0a\x06\x0a\x01"
                "a\x12\x01"
                "1\x0a\x06\x0a\x02"
                "bc\x12\x00");
    label_pairs_append(out, SLICE("a=\"x\\\"y\\n\\\\\""));
    EXPECT(out, "\x0a\x0a\x0a\x01"
                "a\x12\x05x\"y\n\\");
}

/* Of 127 bytes and 128: a length takes one byte more. */
static void test_long_values(void **state)
{
    struct buffer *out = *state;
    for (size_t len = 100; len < 400; len++) {
        char text[512], filler[400];
        memset(filler, 'v', sizeof(filler));
        snprintf(text, sizeof(text), "n=\"%.*s\"", (int) len, filler);
        label_pairs_append(out, slice_of(text));
        size_t value = len < 128 ? 2 : 3, pair = 3 + value + len;
        assert_int_equal(out->len, pair + (pair < 128 ? 2 : 3));
        assert_memory_equal(out->data + out->len - len, filler, len);
        buffer_clear(out);
    }
}

static void test_floats(void **state)
{
    struct buffer *out = *state;
    label_pairs_append_float(out, SLICE("le"), 10);
    EXPECT(out, "\x0a\x0a\x0a\x02le\x12\x04"
                "10.0");
}

static void test_value_that_comes_later(void **state)
{
    struct buffer *out = *state;
    char *end;
    label_pairs_append_name(out, SLICE("slab"));
    assert_non_null(buffer_reserve(out, 20));
    end = label_pairs_put_value(out->data + out->len, 4, SLICE("4294967295"));
    out->len = (size_t) (end - out->data);
    EXPECT(out, "\x0a\x12\x0a\x04slab\x12\x0a"
                "4294967295");
}

static void test_no_room(void **state)
{
    (void) state;
    struct buffer out;
    buffer_init(&out, 8);
    label_pairs_append(&out, SLICE("abc=\"def\""));
    assert_true(out.failed);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rendered_labels), cmocka_unit_test(test_long_values),
        cmocka_unit_test(test_floats),          cmocka_unit_test(test_value_that_comes_later),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
