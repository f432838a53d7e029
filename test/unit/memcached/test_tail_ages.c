/* Ages are counted in the first bucket whose bound they do not exceed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/snapshot.h"

#include <stdio.h>

static struct snapshot *snapshot_with(const char *const *ages, size_t count)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, 65536, 0);
    assert_non_null(snapshot);
    for (size_t n = 0; n < count; n++) {
        char key[64];
        snprintf(key, sizeof(key), "items:%zu:age_hot", n + 1);
        assert_true(snapshot_add(snapshot, COMMAND_ITEMS, slice_of(key), SLICE("1")));
        snprintf(key, sizeof(key), "items:%zu:age", n + 1);
        assert_true(snapshot_add(snapshot, COMMAND_ITEMS, slice_of(key), slice_of(ages[n])));
        snprintf(key, sizeof(key), "items:%zu:number", n + 1);
        assert_true(snapshot_add(snapshot, COMMAND_ITEMS, slice_of(key), SLICE("1")));
    }
    snapshot_finish(snapshot);
    return snapshot;
}

static void test_buckets(void **state)
{
    static const char *const ages[] = {"0",  "1",       "2",       "10",
                                       "11", "2419200", "2419201", "18446744073709551615"};
    static const uint32_t expected[TAIL_AGE_BOUNDS + 1] = {2, 2, 1, 0, 0, 0, 0, 0, 0, 1, 2};
    struct snapshot *snapshot = snapshot_with(ages, sizeof(ages) / sizeof(ages[0]));
    (void) state;
    assert_memory_equal(snapshot->ages.counts, expected, sizeof(expected));
    snapshot_release(snapshot);
}

static void test_no_classes(void **state)
{
    static const uint32_t expected[TAIL_AGE_BOUNDS + 1] = {0};
    struct snapshot *snapshot = snapshot_with(NULL, 0);
    (void) state;
    assert_memory_equal(snapshot->ages.counts, expected, sizeof(expected));
    snapshot_release(snapshot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_buckets), cmocka_unit_test(test_no_classes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
