#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

static void test_things_are_zeroed_and_aligned(void **unused)
{
    struct arena arena;
    (void) unused;
    arena_init(&arena);
    for (size_t n = 0; n < 600; n++) {
        size_t size = 1 + n % 200;
        /* The memory of before is used again, and is not zero. */
        if (n % 200 == 0) arena_deinit(&arena);
        /* A text between them, so that the next place is an odd one. */
        assert_string_equal(arena_copy(&arena, SLICE("odd")), "odd");
        unsigned char *thing = arena_alloc(&arena, 3, size);
        assert_non_null(thing);
        assert_int_equal((uintptr_t) thing % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < 3 * size; i++) assert_int_equal(thing[i], 0);
        memset(thing, 0xff, 3 * size);
    }
    arena_deinit(&arena);
}

/* Most arenas hold a few short texts. */
static void test_it_begins_small(void **unused)
{
    struct arena arena;
    (void) unused;
    arena_init(&arena);
    assert_non_null(arena_copy(&arena, SLICE("a text")));
    assert_true(arena.end - arena.next < 4096);
    for (unsigned n = 0; n < 10000; n++) assert_non_null(arena_copy(&arena, SLICE("some more texts of it")));
    assert_in_range(arena.end - (const char *) arena.blocks, 60 * 1024, 70 * 1024);
    arena_deinit(&arena);
}

/* More than one block holds, one after the other and at once; none is overwritten by the next. */
static void test_it_grows(void **unused)
{
    enum { COUNT = 5000 };
    static const char *copies[COUNT];
    struct arena arena;
    char text[64];
    (void) unused;
    arena_init(&arena);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "the text number %d, of some length", i);
        copies[i] = arena_copy(&arena, slice_of(text));
        assert_non_null(copies[i]);
    }
    char *large = arena_alloc(&arena, 1, 1000000);
    assert_non_null(large);
    memset(large, 0xff, 1000000);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof(text), "the text number %d, of some length", i);
        assert_string_equal(copies[i], text);
    }
    arena_deinit(&arena);
}

static void test_nothing_is_something(void **unused)
{
    struct arena arena;
    (void) unused;
    arena_init(&arena);
    assert_non_null(arena_alloc(&arena, 0, 8));
    const char *empty = arena_copy(&arena, (struct slice){NULL, 0});
    assert_non_null(empty);
    assert_string_equal(empty, "");
    arena_deinit(&arena);
}

static void test_too_much_is_refused(void **unused)
{
    struct arena arena;
    (void) unused;
    arena_init(&arena);
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 8));
    assert_null(arena_alloc(&arena, SIZE_MAX / 2, 1));
    assert_null(arena_copy(&arena, (struct slice){"", SIZE_MAX}));
    assert_non_null(arena_alloc(&arena, 1, 8));
    arena_deinit(&arena);
}

static void test_it_can_be_used_again(void **unused)
{
    struct arena arena;
    (void) unused;
    arena_init(&arena);
    arena_deinit(&arena);
    assert_string_equal(arena_copy(&arena, SLICE("a")), "a");
    arena_deinit(&arena);
    assert_string_equal(arena_copy(&arena, SLICE("b")), "b");
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_things_are_zeroed_and_aligned),
        cmocka_unit_test(test_it_grows),
        cmocka_unit_test(test_it_begins_small),
        cmocka_unit_test(test_nothing_is_something),
        cmocka_unit_test(test_too_much_is_refused),
        cmocka_unit_test(test_it_can_be_used_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
