#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/array.h"

#include <stdlib.h>

struct numbers {
    unsigned *items;
    size_t count, size;
};

static bool add(struct numbers *numbers, unsigned number, size_t least, size_t most)
{
    if (!array_reserve(&numbers->items, numbers->count, &numbers->size, least, most)) return false;
    numbers->items[numbers->count++] = number;
    return true;
}

static void test_keeps_what_is_in_it(void **state)
{
    struct numbers numbers = {0};
    (void) state;
    for (unsigned n = 0; n < 1000; n++) assert_true(add(&numbers, n, 4, SIZE_MAX));
    for (unsigned n = 0; n < 1000; n++) assert_int_equal(numbers.items[n], n);
    free(numbers.items);
}

static void test_doubles_from_the_least_size(void **state)
{
    struct numbers numbers = {0};
    (void) state;
    assert_true(add(&numbers, 1, 3, SIZE_MAX));
    assert_int_equal(numbers.size, 3);
    for (unsigned n = 0; n < 3; n++) assert_true(add(&numbers, n, 3, SIZE_MAX));
    assert_int_equal(numbers.size, 6);
    free(numbers.items);
}

static void test_stops_at_the_most(void **state)
{
    struct numbers numbers = {0};
    (void) state;
    for (unsigned n = 0; n < 5; n++) assert_true(add(&numbers, n, 2, 5));
    assert_int_equal(numbers.size, 5);
    assert_false(add(&numbers, 5, 2, 5));
    assert_int_equal(numbers.count, 5);
    assert_int_equal(numbers.items[4], 4);
    free(numbers.items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keeps_what_is_in_it),
        cmocka_unit_test(test_doubles_from_the_least_size),
        cmocka_unit_test(test_stops_at_the_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
