#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/slice.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void compares(void **state)
{
    struct slice none = {NULL, 0};
    (void) state;
    assert_true(slice_equal(SLICE("a\0b"), SLICE("a\0b")));
    assert_false(slice_equal(SLICE("a\0b"), SLICE("a\0c")));
    assert_false(slice_equal(SLICE("a"), SLICE("ab")));
    assert_true(slice_equal(none, SLICE("")));
    assert_true(slice_is(SLICE("ab"), "ab"));
    assert_false(slice_is(SLICE("ab"), "a"));
    assert_false(slice_is(SLICE("ab"), "AB"));
    assert_false(slice_is(SLICE("a\0"), "a"));
    assert_true(slice_is(none, ""));
    assert_true(slice_is_nocase(SLICE("Gzip"), "gZIP"));
    assert_false(slice_is_nocase(SLICE("gzip"), "gzi"));
    assert_false(slice_is_nocase(SLICE("gzip"), "gzix"));
    assert_true(slice_is_nocase(none, ""));
    assert_true(slice_is(slice_of("ab"), "ab"));
}

static void knows_its_beginning_and_end(void **state)
{
    struct slice none = {NULL, 0};
    (void) state;
    assert_true(slice_starts(SLICE("abc"), "ab"));
    assert_true(slice_starts(SLICE("ab"), "ab"));
    assert_true(slice_starts(SLICE("ab"), ""));
    assert_false(slice_starts(SLICE("a"), "ab"));
    assert_false(slice_starts(SLICE("xb"), "ab"));
    assert_false(slice_starts(none, "a"));
    assert_true(slice_ends(SLICE("abc"), "bc"));
    assert_true(slice_ends(SLICE("bc"), "bc"));
    assert_false(slice_ends(SLICE("c"), "bc"));
    assert_false(slice_ends(SLICE("bcx"), "bc"));
    assert_false(slice_ends(none, "a"));
    assert_true(slice_is(slice_from(SLICE("abc"), 1), "bc"));
    assert_true(slice_is(slice_from(SLICE("abc"), 3), ""));
}

static const struct {
    struct slice text;
    const char *pieces[4]; /* ends with NULL */
} cuts[] = {
    {SLICE("a,b,c"), {"a", "b", "c"}}, {SLICE("a"), {"a"}},    {SLICE("a,"), {"a", ""}},
    {SLICE(",a"), {"", "a"}},          {SLICE(","), {"", ""}}, {SLICE(""), {""}},
    {SLICE("a,,b"), {"a", "", "b"}},   {{NULL, 0}, {NULL}},
};

static void cuts_at_each_separator(void **state)
{
    (void) state;
    for (size_t i = 0; i < ARRAY_LEN(cuts); i++) {
        struct slice rest = cuts[i].text;
        size_t count = 0;
        while (rest.data) {
            struct slice piece = slice_cut(&rest, ',');
            assert_non_null(cuts[i].pieces[count]);
            assert_true(slice_is(piece, cuts[i].pieces[count]));
            count++;
        }
        assert_null(cuts[i].pieces[count]);
    }
}

static void cutting_nothing_gives_nothing(void **state)
{
    struct slice rest = {NULL, 0};
    (void) state;
    assert_int_equal(slice_cut(&rest, ',').len, 0);
    assert_null(rest.data);
}

static void trims_blanks_and_tabs(void **state)
{
    (void) state;
    assert_true(slice_is(slice_trim(SLICE(" \ta b\t ")), "a b"));
    assert_true(slice_is(slice_trim(SLICE("ab")), "ab"));
    assert_true(slice_is(slice_trim(SLICE("\r\n")), "\r\n"));
    assert_int_equal(slice_trim(SLICE(" \t ")).len, 0);
    assert_int_equal(slice_trim((struct slice){NULL, 0}).len, 0);
}

/* --- Copies in blocks, against copies byte by byte --- */

#define LEN_MAX 300

/* Each function that copies, and the bytes that it reads at least. */
static const struct {
    char *(*put)(char *at, struct slice a);
    size_t least;
} copies[] = {
    {slice_put_few, 0},
    {slice_put_short, 0},
    {slice_put_blocks, SLICE_BLOCK},
    {slice_put_more_blocks, SLICE_BLOCKS},
    {slice_put_many_blocks, SLICE_MANY_BLOCKS},
};

/* Maps pages of which the last one must not be touched. Returns its beginning. */
static char *map_guarded(size_t *size)
{
    size_t page = (size_t) sysconf(_SC_PAGESIZE);
    *size = 2 * page;
    char *pages = mmap(NULL, *size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pages != MAP_FAILED);
    assert_int_equal(mprotect(pages + page, page, PROT_NONE), 0);
    return pages + page;
}

/* Bytes that copies of `len` bytes may touch: whole blocks, and `least`. */
static size_t touched(size_t len, size_t least)
{
    size_t blocks = least ? (len + SLICE_BLOCK - 1) / SLICE_BLOCK * SLICE_BLOCK : len;
    return blocks > least ? blocks : least;
}

static void copies_equal_those_byte_by_byte(void **state)
{
    size_t size;
    (void) state;
    char *from_end = map_guarded(&size), *to_end = map_guarded(&size);
    for (size_t n = 0; n < ARRAY_LEN(copies) * LEN_MAX * 4; n++) {
        size_t len = n / ARRAY_LEN(copies) % LEN_MAX, which = n % ARRAY_LEN(copies);
        size_t room = touched(len, copies[which].least), shift = (size_t) random() % 17;
        char *from = from_end - room, *to = to_end - room - (n % 2 ? shift : 0), *end = to;
        for (size_t at = 0; at < room; at++) from[at] = (char) random();
        memset(to - 1, '!', room + 1);
        end = copies[which].put(to, (struct slice){from, len});
        assert_ptr_equal(end, to + len);
        assert_int_equal(to[-1], '!');
        for (size_t at = 0; at < len; at++) assert_int_equal(to[at], from[at]);
    }
    munmap(from_end - size / 2, size);
    munmap(to_end - size / 2, size);
}

/* As a line that begins like the one before it. */
static void copies_the_beginning_of_a_line_behind_it(void **state)
{
    char text[2 * LEN_MAX + SLICE_MANY_BLOCKS], name[LEN_MAX];
    (void) state;
    for (size_t len = SLICE_BLOCK; len < LEN_MAX; len++) {
        for (size_t at = 0; at < len; at++) text[at] = name[at] = (char) random();
        slice_put_many_blocks(text + len, (struct slice){text, len});
        assert_memory_equal(text, name, len);
        assert_memory_equal(text + len, name, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(compares),
        cmocka_unit_test(knows_its_beginning_and_end),
        cmocka_unit_test(cuts_at_each_separator),
        cmocka_unit_test(cutting_nothing_gives_nothing),
        cmocka_unit_test(trims_blanks_and_tabs),
        cmocka_unit_test(copies_equal_those_byte_by_byte),
        cmocka_unit_test(copies_the_beginning_of_a_line_behind_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
