/* Fields as the description of the wire format spells them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metrics/wire.h"

#include <math.h>

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

static void test_varints(void **state)
{
    struct buffer *out = *state;
    wire_append_varint(out, 0);
    EXPECT(out, "\x00");
    wire_append_varint(out, 127);
    EXPECT(out, "\x7f");
    wire_append_varint(out, 128);
    EXPECT(out, "\x80\x01");
    wire_append_varint(out, 150);
    EXPECT(out, "\x96\x01");
    wire_append_varint(out, UINT64_MAX);
    EXPECT(out, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void test_fields(void **state)
{
    struct buffer *out = *state;
    wire_put_uint(out, 1, 150);
    EXPECT(out, "\x08\x96\x01");
    wire_put_uint(out, 16, 1);
    EXPECT(out, "\x80\x01\x01");
    wire_put_string(out, 2, SLICE("testing"));
    EXPECT(out, "\x12\x07testing");
    wire_put_string(out, 2, SLICE(""));
    EXPECT(out, "\x12\x00");
    wire_put_double(out, 1, 1);
    EXPECT(out, "\x09\x00\x00\x00\x00\x00\x00\xf0\x3f");
    wire_put_double(out, 1, -INFINITY);
    EXPECT(out, "\x09\x00\x00\x00\x00\x00\x00\xf0\xff");
}

static void test_signed_fields_are_folded(void **state)
{
    struct buffer *out = *state;
    wire_put_sint(out, 1, 0);
    EXPECT(out, "\x08\x00");
    wire_put_sint(out, 1, -1);
    EXPECT(out, "\x08\x01");
    wire_put_sint(out, 1, 1);
    EXPECT(out, "\x08\x02");
    wire_put_sint(out, 1, -2);
    EXPECT(out, "\x08\x03");
    wire_put_sint(out, 1, INT64_MAX);
    EXPECT(out, "\x08\xfe\xff\xff\xff\xff\xff\xff\xff\xff\x01");
    wire_put_sint(out, 1, INT64_MIN);
    EXPECT(out, "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
}

static void test_messages_nest(void **state)
{
    struct buffer *out = *state;
    size_t outer = wire_begin(out, 3), inner = wire_begin(out, 1);
    wire_put_uint(out, 1, 150);
    wire_end(out, inner);
    wire_end(out, outer);
    size_t empty = wire_begin(out, 2);
    wire_end(out, empty);
    EXPECT(out, "\x1a\x05\x0a\x03\x08\x96\x01\x12\x00");
}

/* A length of two bytes moves what stands behind it. */
static void test_long_messages(void **state)
{
    struct buffer *out = *state;
    size_t begin = wire_begin(out, 1);
    for (int n = 0; n < 300; n++) buffer_append_char(out, (char) ('a' + n % 26));
    wire_end(out, begin);
    assert_int_equal(out->len, 303);
    assert_memory_equal(out->data,
                        "\x0a\xac\x02"
                        "abc",
                        6);
    assert_int_equal(out->data[302], 'a' + 299 % 26);
}

/* At each length of buffer that is too small, what is written fails and stays inside. */
static void test_small_buffers_fail(void **state)
{
    (void) state;
    for (size_t cap = 0; cap < 16; cap++) {
        struct buffer out;
        buffer_init(&out, cap);
        size_t outer = wire_begin(&out, 1);
        wire_put_double(&out, 1, 1);
        size_t inner = wire_begin(&out, 2);
        wire_put_uint(&out, 1, 1);
        wire_end(&out, inner);
        wire_end(&out, outer);
        assert_int_equal(out.failed, cap < 15);
        assert_true(out.len <= cap);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_varints, setup, teardown),
        cmocka_unit_test_setup_teardown(test_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_signed_fields_are_folded, setup, teardown),
        cmocka_unit_test_setup_teardown(test_messages_nest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_messages, setup, teardown),
        cmocka_unit_test(test_small_buffers_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
