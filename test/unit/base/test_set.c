#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/set.h"

#include <stdio.h>

static void test_each_once(void **unused)
{
    static const struct slice texts[] = {SLICE("a"), SLICE("b"), SLICE("ab"), SLICE(""), SLICE("a\0b")};
    struct set set;
    bool is_new;
    (void) unused;
    set_init(&set);
    assert_false(set_has(&set, SLICE("a")));
    for (size_t i = 0; i < 5; i++) {
        assert_true(set_add(&set, texts[i], &is_new));
        assert_true(is_new);
    }
    assert_false(set_has(&set, SLICE("c")));
    for (size_t i = 0; i < 5; i++) {
        assert_true(set_has(&set, texts[i]));
        assert_true(set_add(&set, texts[i], &is_new));
        assert_false(is_new);
    }
    assert_int_equal(set.count, 5);
    set_deinit(&set);
}

/* All are still found when the table has grown. */
static void test_many(void **unused)
{
    enum { COUNT = 10000 };
    static char texts[COUNT][16];
    struct set set;
    bool is_new;
    (void) unused;
    set_init(&set);
    for (int i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof(texts[i]), "cache-%d", i);
        assert_true(set_add(&set, slice_of(texts[i]), &is_new));
        assert_true(is_new);
    }
    for (int i = 0; i < COUNT; i++) {
        assert_true(set_add(&set, slice_of(texts[i]), &is_new));
        assert_false(is_new);
    }
    set_deinit(&set);
}

static void test_has(void **state)
{
    struct set set;
    bool is_new;
    (void) state;
    set_init(&set);
    assert_false(set_has(&set, SLICE("a")));
    assert_true(set_add(&set, SLICE("a"), &is_new));
    assert_true(set_add(&set, SLICE(""), &is_new));
    assert_true(set_has(&set, SLICE("a")));
    assert_true(set_has(&set, SLICE("")));
    assert_false(set_has(&set, SLICE("b")));
    assert_false(set_has(&set, SLICE("aa")));
    set_deinit(&set);
    assert_false(set_has(&set, SLICE("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_once), cmocka_unit_test(test_many),
                                       cmocka_unit_test(test_has)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
