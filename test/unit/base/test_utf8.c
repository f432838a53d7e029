#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"

/* The code point that the bytes spell, read without any of the checks that are tested here. */
static uint32_t spelled(const unsigned char *bytes, size_t len)
{
    static const unsigned char masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t point = bytes[0] & masks[len];
    for (size_t i = 1; i < len; i++) point = point << 6 | (bytes[i] & 0x3f);
    return point;
}

/* Writes a code point in the given number of bytes, also where that is too many. */
static void spell(uint32_t point, size_t len, unsigned char bytes[4])
{
    static const unsigned char marks[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = len - 1; i > 0; i--, point >>= 6) bytes[i] = (unsigned char) (0x80 | (point & 0x3f));
    bytes[0] = (unsigned char) (marks[len] | point);
}

static size_t shortest(uint32_t point)
{
    if (point < 0x80) return 1;
    if (point < 0x800) return 2;
    return point < 0x10000 ? 3 : 4;
}

static size_t length_of(const unsigned char *bytes, size_t len)
{
    return utf8_sequence((struct slice){(const char *) bytes, len});
}

/* All that four bytes can spell: taken if and only if in the shortest form, no surrogate, and in Unicode. */
static void takes_exactly_the_well_formed(void **state)
{
    static const uint32_t ends[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    (void) state;
    for (size_t len = 1; len <= 4; len++) {
        for (uint32_t point = 0; point < ends[len]; point++) {
            unsigned char bytes[4];
            spell(point, len, bytes);
            bool surrogate = point >= 0xd800 && point < 0xe000;
            bool good = shortest(point) == len && !surrogate && point <= 0x10ffff;
            if (length_of(bytes, len) != (good ? len : 0)) fail_msg("U+%X in %zu bytes", point, len);
            if (good && spelled(bytes, len) != point) fail_msg("U+%X", point);
        }
    }
}

static void needs_the_whole_sequence(void **state)
{
    static const unsigned char bytes[] = {0xf0, 0x9f, 0x98, 0x80, 'x'};
    (void) state;
    for (size_t len = 1; len < 4; len++) assert_int_equal(length_of(bytes, len), 0);
    assert_int_equal(length_of(bytes, 4), 4);
    assert_int_equal(length_of(bytes, 5), 4);
}

static void refuses_other_first_bytes(void **state)
{
    (void) state;
    for (unsigned first = 0x80; first < 0x100; first++) {
        unsigned char bytes[] = {(unsigned char) first, 0x80, 0x80, 0x80};
        if (first >= 0xc2 && first <= 0xf4) continue;
        assert_int_equal(length_of(bytes, 4), 0);
    }
}

/* Each byte behind the first has to be a continuation. */
static void refuses_a_broken_continuation(void **state)
{
    static const unsigned char good[] = {0xf1, 0x80, 0xbf, 0x80};
    (void) state;
    for (size_t at = 1; at < 4; at++) {
        static const unsigned char others[] = {0, 'a', 0x7f, 0xc0, 0xff};
        for (size_t i = 0; i < sizeof(others); i++) {
            unsigned char bytes[4];
            memcpy(bytes, good, sizeof(bytes));
            bytes[at] = others[i];
            assert_int_equal(length_of(bytes, 4), 0);
        }
    }
    assert_int_equal(length_of(good, 4), 4);
}

static void the_replacement_is_well_formed(void **state)
{
    (void) state;
    assert_int_equal(utf8_sequence(SLICE(UTF8_REPLACEMENT)), 3);
    assert_int_equal(spelled((const unsigned char *) UTF8_REPLACEMENT, 3), 0xfffd);
}

static void a_text_is_as_good_as_each_of_its_sequences(void **state)
{
    (void) state;
    assert_true(utf8_is_valid((struct slice){NULL, 0}));
    assert_true(utf8_is_valid(SLICE("plain")));
    assert_true(utf8_is_valid(SLICE("a\0b\xc3\xa9\xf1\x80\xbf\x80")));
    assert_false(utf8_is_valid(SLICE("\xffplain")));
    assert_false(utf8_is_valid(SLICE("plain\xff")));
    assert_false(utf8_is_valid(SLICE("cut\xc3")));
    assert_false(utf8_is_valid(SLICE("\xed\xa0\x80")));
}

static void tells_what_can_be_shown(void **state)
{
    (void) state;
    assert_int_equal(utf8_visible(SLICE("a")), 1);
    assert_int_equal(utf8_visible(SLICE("\xc2\xa0")), 2);
    assert_int_equal(utf8_visible(SLICE("\xe2\x82\xac")), 3);
    assert_int_equal(utf8_visible(SLICE("\xf0\x9f\x98\x80")), 4);
    assert_int_equal(utf8_visible(SLICE("\x1b")), 0);
    assert_int_equal(utf8_visible(SLICE("\x7f")), 0);
    assert_int_equal(utf8_visible(SLICE("\xc2\x9b")), 0);
    assert_int_equal(utf8_visible(SLICE("\xe2\x80\xae")), 0);
    assert_int_equal(utf8_visible(SLICE("\xff")), 0);
}

static void escapes_what_terminals_obey(void **state)
{
    (void) state;
    static const struct {
        const char *text, *escaped;
    } rows[] = {
        {"a\"b\\c\n", "a\\\"b\\\\c\\n"},
        {"\x1b[2J\x7f", "\\u001b[2J\\u007f"},
        {"\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\u0080\\u009b\\u009f\xc2\xa0"},
        {"\xe2\x80\x8d\xe2\x80\x8e\xe2\x80\x8f", "\xe2\x80\x8d\\u200e\\u200f"},
        {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xae\xe2\x80\xaf", "\xe2\x80\xa7\\u2028\\u202e\xe2\x80\xaf"},
        {"\xe2\x81\xa6\xe2\x81\xa9\xd8\x9c", "\\u2066\\u2069\\u061c"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xff\x80", UTF8_REPLACEMENT UTF8_REPLACEMENT},
    };
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        struct buffer out;
        buffer_init(&out, 1024);
        utf8_append_escaped(&out, slice_of(rows[n].text));
        buffer_append_char(&out, '\0');
        assert_string_equal(out.data, rows[n].escaped);
        buffer_deinit(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_exactly_the_well_formed),
        cmocka_unit_test(needs_the_whole_sequence),
        cmocka_unit_test(refuses_other_first_bytes),
        cmocka_unit_test(refuses_a_broken_continuation),
        cmocka_unit_test(the_replacement_is_well_formed),
        cmocka_unit_test(a_text_is_as_good_as_each_of_its_sequences),
        cmocka_unit_test(tells_what_can_be_shown),
        cmocka_unit_test(escapes_what_terminals_obey),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
