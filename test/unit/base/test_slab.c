#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

#define COUNT 500
#define SIZE  392

static unsigned char *objects[COUNT];

static void fill(struct slab *slab, size_t n)
{
    objects[n] = slab_alloc(slab);
    assert_non_null(objects[n]);
    assert_int_equal((uintptr_t) objects[n] % _Alignof(max_align_t), 0);
    memset(objects[n], (int) n & 0xff, SIZE);
}

static void expect_all(void)
{
    for (size_t n = 0; n < COUNT; n++) {
        for (size_t at = 0; objects[n] && at < SIZE; at++) assert_int_equal(objects[n][at], n & 0xff);
    }
}

/* In any order, objects do not touch each other, and the sanitizers find nothing that is left. */
static void test_objects_come_and_go(void **unused)
{
    struct slab slab;
    (void) unused;
    slab_init(&slab, SIZE);
    for (size_t n = 0; n < COUNT; n++) fill(&slab, n);
    for (size_t step = 2; step < 7; step++) {
        for (size_t n = 0; n < COUNT; n += step) {
            slab_free(&slab, objects[n]);
            objects[n] = NULL;
        }
        expect_all();
        for (size_t n = 0; n < COUNT; n += step) fill(&slab, n);
        expect_all();
    }
    for (size_t n = 0; n < COUNT; n++) slab_free(&slab, objects[n * 7 % COUNT]);
    slab_free(&slab, NULL);
    assert_true(list_is_empty(&slab.roomy));
}

static void test_objects_lie_side_by_side(void **unused)
{
    struct slab slab;
    size_t apart = 0;
    (void) unused;
    slab_init(&slab, SIZE);
    for (size_t n = 0; n < COUNT; n++) {
        fill(&slab, n);
        apart += n > 0 && objects[n] - objects[n - 1] > 2 * SIZE;
    }
    assert_true(apart < COUNT / 20);
    for (size_t n = 0; n < COUNT; n++) slab_free(&slab, objects[n]);
}

static void test_the_largest_and_the_smallest(void **unused)
{
    static const size_t sizes[] = {sizeof(void *), 2048};
    (void) unused;
    for (size_t n = 0; n < 2; n++) {
        struct slab slab;
        slab_init(&slab, sizes[n]);
        for (size_t i = 0; i < COUNT; i++) {
            objects[i] = slab_alloc(&slab);
            memset(objects[i], 0xff, sizes[n]);
        }
        for (size_t i = 0; i < COUNT; i++) slab_free(&slab, objects[i]);
        assert_true(list_is_empty(&slab.roomy));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_objects_come_and_go),
        cmocka_unit_test(test_objects_lie_side_by_side),
        cmocka_unit_test(test_the_largest_and_the_smallest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
