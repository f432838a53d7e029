#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "data.h"
#include "memcached/reply.h"
#include "memcached/sizes.h"

#include <stdio.h>
#include <string.h>

static bool add(struct sizes *sizes, const char *key, const char *value, unsigned *wrong)
{
    assert_true(sizes_takes(slice_of(key)));
    return sizes_add(sizes, slice_of(key), slice_of(value), wrong);
}

static uint64_t items_of(const struct sizes *sizes)
{
    uint64_t sum = 0;
    for (size_t n = 0; n < sizes->count; n++) sum += sizes->counts[n];
    assert_int_equal(sizes->count ? sizes->counts[sizes->count] : 0, 0);
    return sum;
}

static void test_keys(void **state)
{
    (void) state;
    assert_true(sizes_takes(SLICE("96")));
    assert_true(sizes_takes(SLICE("4294967295")));
    assert_false(sizes_takes(SLICE("4294967296")));
    assert_false(sizes_takes(SLICE("sizes_status")));
    assert_false(sizes_takes(SLICE("")));
    assert_false(sizes_takes(SLICE("-1")));
}

/* Every capture of real servers: the keys are the bounds. */
static unsigned captures;

static void on_capture(const char *name, struct slice bytes)
{
    struct sizes sizes;
    struct slice input = bytes, again = bytes;
    unsigned wrong = 0;
    if (!strstr(name, "-stats-sizes.txt")) return;
    sizes_init(&sizes);
    for (struct reply_line line; (line = reply_next(&input, REPLY_PAIRS)).kind == REPLY_STAT;) {
        if (sizes_takes(line.key)) assert_true(sizes_add(&sizes, line.key, line.value, &wrong));
    }
    assert_int_equal(wrong, 0);
    for (size_t n = 0; n < sizes.count; n++, captures++) {
        struct reply_line line = reply_next(&again, REPLY_PAIRS);
        assert_int_equal((int) sizes.bounds[n], atoi(line.key.data));
        assert_int_equal((int) sizes.counts[n], atoi(line.value.data));
    }
    items_of(&sizes);
    sizes_deinit(&sizes);
}

static void test_captures(void **state)
{
    (void) state;
    captures = 0;
    data_each_sample(on_capture);
    assert_int_equal(captures, 28);
}

static void test_negative_counts_are_none(void **state)
{
    struct sizes sizes;
    unsigned wrong = 0;
    (void) state;
    sizes_init(&sizes);
    add(&sizes, "32", "4294967295", &wrong);
    add(&sizes, "64", "2147483648", &wrong);
    add(&sizes, "96", "2147483647", &wrong);
    assert_int_equal(wrong, 0);
    assert_int_equal(sizes.count, 3);
    assert_int_equal(items_of(&sizes), 2147483647);
    sizes_deinit(&sizes);
}

static void test_wrong_lines_cost_themselves(void **state)
{
    struct sizes sizes;
    unsigned wrong = 0;
    (void) state;
    sizes_init(&sizes);
    assert_true(add(&sizes, "64", "1", &wrong));
    assert_true(add(&sizes, "64", "1", &wrong));
    assert_true(add(&sizes, "32", "1", &wrong));
    assert_true(add(&sizes, "96", "many", &wrong));
    assert_true(add(&sizes, "96", "2", &wrong));
    assert_int_equal(wrong, 3);
    assert_int_equal(sizes.count, 2);
    assert_int_equal(items_of(&sizes), 3);
    sizes_deinit(&sizes);
}

/* As many buckets as a cache of items up to 64 MiB can have. */
static void test_many_buckets_are_put_together(void **state)
{
    struct sizes sizes;
    unsigned wrong = 0;
    char key[16];
    (void) state;
    sizes_init(&sizes);
    for (unsigned n = 1; n <= 2 * 1024 * 1024; n++) {
        snprintf(key, sizeof(key), "%u", n * 32);
        assert_true(add(&sizes, key, "1", &wrong));
        if (n == SIZES_BOUNDS_MAX) assert_int_equal(sizes.count, SIZES_BOUNDS_MAX);
    }
    assert_int_equal(wrong, 0);
    assert_int_equal(sizes.count, 32 + 16 * 16);
    assert_int_equal(items_of(&sizes), 2 * 1024 * 1024);
    uint64_t below = 0;
    for (size_t n = 0; n < sizes.count; n++) {
        below += sizes.counts[n];
        if (n) assert_true(sizes.bounds[n] > sizes.bounds[n - 1]);
        /* Each bound is exact: one item in each narrow bucket up to it. */
        assert_int_equal((uint64_t) sizes.bounds[n], below * 32);
    }
    assert_int_equal((int) sizes.bounds[31], 1024);
    assert_int_equal((int) sizes.bounds[32], 1088);
    sizes_deinit(&sizes);
}

/* No keys, however chosen, pass the cap. */
static void test_cap_holds_for_any_keys(void **state)
{
    struct sizes sizes;
    unsigned wrong = 0;
    char key[16];
    (void) state;
    sizes_init(&sizes);
    for (uint64_t n = 1; n <= UINT32_MAX; n += 1 + n / 500) {
        snprintf(key, sizeof(key), "%u", (unsigned) n);
        assert_true(add(&sizes, key, "1", &wrong));
        assert_true(sizes.count <= SIZES_BOUNDS_MAX);
    }
    assert_true(sizes.coarse);
    sizes_deinit(&sizes);
}

static void test_copy(void **state)
{
    struct sizes sizes, copy;
    unsigned wrong = 0;
    (void) state;
    sizes_init(&sizes);
    assert_true(sizes_copy(&copy, &sizes));
    assert_int_equal(copy.count, 0);
    add(&sizes, "32", "5", &wrong);
    sizes.disabled = true;
    assert_true(sizes_copy(&copy, &sizes));
    sizes_deinit(&sizes);
    assert_true(copy.disabled);
    assert_true(add(&copy, "64", "1", &wrong));
    assert_int_equal(copy.count, 2);
    assert_int_equal(items_of(&copy), 6);
    sizes_deinit(&copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_captures),
        cmocka_unit_test(test_negative_counts_are_none),
        cmocka_unit_test(test_wrong_lines_cost_themselves),
        cmocka_unit_test(test_many_buckets_are_put_together),
        cmocka_unit_test(test_cap_holds_for_any_keys),
        cmocka_unit_test(test_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
