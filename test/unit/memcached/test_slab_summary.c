/* A few figures of all slab classes, against those that were computed by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/snapshot.h"

#include <stdio.h>

#define BOTH (COMMAND_BIT(COMMAND_ITEMS) | COMMAND_BIT(COMMAND_SLABS))

struct said {
    enum command command;
    const char *key, *value;
};

/* Makes the summary of a snapshot with these lines, in this order. */
static struct slab_summary summarize(const struct said *said, unsigned answered)
{
    struct snapshot *snapshot = snapshot_new(BOTH, 1 << 20, 10);
    assert_non_null(snapshot);
    for (; said->key; said++)
        assert_true(snapshot_add(snapshot, said->command, slice_of(said->key), slice_of(said->value)));
    snapshot->answered = answered;
    snapshot_finish(snapshot);
    struct slab_summary summary = snapshot->slabs;
    snapshot_release(snapshot);
    return summary;
}

#define SLABS(key, value)                                                                                    \
    {                                                                                                        \
        COMMAND_SLABS, key, value                                                                            \
    }
#define ITEMS(key, value)                                                                                    \
    {                                                                                                        \
        COMMAND_ITEMS, key, value                                                                            \
    }
#define END                                                                                                  \
    {                                                                                                        \
        0                                                                                                    \
    }

/*
 * Class 1: 96 * 10 - 500 are wasted, and 96 * 20 free. Class 5 and 12 have evicted, so that what is free in
 * them does not count. Class 9 has pages and no item, so `stats items` does not name it.
 */
static const struct said uneven[] = {SLABS("1:chunk_size", "96"),
                                     SLABS("1:used_chunks", "10"),
                                     SLABS("1:free_chunks", "20"),
                                     SLABS("5:chunk_size", "240"),
                                     SLABS("5:used_chunks", "100"),
                                     SLABS("5:free_chunks", "3"),
                                     SLABS("9:chunk_size", "600"),
                                     SLABS("9:used_chunks", "0"),
                                     SLABS("9:free_chunks", "1000"),
                                     SLABS("12:chunk_size", "1184"),
                                     SLABS("12:used_chunks", "7"),
                                     SLABS("12:free_chunks", "0"),
                                     ITEMS("items:1:evicted", "0"),
                                     ITEMS("items:1:evicted_time", "0"),
                                     ITEMS("items:1:mem_requested", "500"),
                                     ITEMS("items:5:evicted", "17"),
                                     ITEMS("items:5:evicted_time", "90"),
                                     ITEMS("items:5:mem_requested", "20000"),
                                     ITEMS("items:12:evicted", "1"),
                                     ITEMS("items:12:evicted_time", "45"),
                                     ITEMS("items:12:mem_requested", "8000"),
                                     {COMMAND_STATS, "limit_maxbytes", "2000000"},
                                     END};

static void test_uneven_classes(void **state)
{
    struct slab_summary summary = summarize(uneven, BOTH);
    (void) state;
    assert_true(summary.has_wasted);
    assert_int_equal(summary.wasted_bytes, 96 * 10 + 240 * 100 + 1184 * 7 - 500 - 20000 - 8000);
    assert_int_equal(summary.classes_evicting, 2);
    assert_int_equal(summary.eviction_age_s, 45);
    assert_int_equal(summary.free_while_evicting_bytes, 96 * 20 + 600 * 1000);
    assert_int_equal(summary.limit_bytes, 2000000);
    assert_true(slab_summary_imbalance(&summary) == 601920.0 / 2000000);
}

static void test_both_commands_are_needed(void **state)
{
    (void) state;
    for (unsigned answered = 0; answered < 2; answered++) {
        struct slab_summary summary =
            summarize(uneven, answered ? COMMAND_BIT(COMMAND_SLABS) : COMMAND_BIT(COMMAND_ITEMS));
        assert_int_equal(summary.free_while_evicting_bytes, 0);
        assert_false(summary.has_wasted);
        assert_int_equal(summary.classes_evicting, 0);
    }
}

static void test_server_without_items(void **state)
{
    static const struct said said[] = {SLABS("active_slabs", "0"), END};
    struct slab_summary summary = summarize(said, BOTH);
    (void) state;
    assert_true(summary.has_wasted);
    assert_int_equal(summary.wasted_bytes, 0);
    assert_int_equal(summary.classes_evicting, 0);
    assert_int_equal(summary.free_while_evicting_bytes, 0);
    assert_true(slab_summary_imbalance(&summary) == 0);
}

/* What is free where nothing was evicted is room, not imbalance. */
static void test_free_without_evictions(void **state)
{
    static const struct said said[] = {SLABS("1:chunk_size", "96"),        SLABS("1:used_chunks", "1"),
                                       SLABS("1:free_chunks", "9999"),     ITEMS("items:1:evicted", "0"),
                                       ITEMS("items:1:evicted_time", "0"), END};
    struct slab_summary summary = summarize(said, BOTH);
    (void) state;
    assert_int_equal(summary.free_while_evicting_bytes, 0);
    assert_int_equal(summary.classes_evicting, 0);
    assert_false(summary.has_wasted); /* the server says nothing of what items asked for */
}

/*
 * Before 1.5.17, mem_requested is in `stats slabs`. A large item asks in one class for what it takes of
 * several, and a sum that would be negative is 0.
 */
static void test_large_items_of_an_old_server(void **state)
{
    static const struct said said[] = {SLABS("1:chunk_size", "100"),  SLABS("1:used_chunks", "50"),
                                       SLABS("1:mem_requested", "0"), SLABS("2:chunk_size", "1000"),
                                       SLABS("2:used_chunks", "10"),  SLABS("2:mem_requested", "14000"),
                                       ITEMS("items:2:evicted", "0"), END};
    static const struct said moved[] = {SLABS("1:chunk_size", "100"), SLABS("1:used_chunks", "1"),
                                        ITEMS("items:1:mem_requested", "101"), END};
    struct slab_summary summary = summarize(said, BOTH);
    (void) state;
    assert_int_equal(summary.wasted_bytes, 1000);
    summary = summarize(moved, BOTH);
    assert_true(summary.has_wasted);
    assert_int_equal(summary.wasted_bytes, 0);
}

/* A server that sends the classes from the last to the first. */
static void test_order_of_lines_does_not_matter(void **state)
{
    struct said backwards[sizeof(uneven) / sizeof(uneven[0])] = {0};
    const size_t count = sizeof(uneven) / sizeof(uneven[0]) - 1;
    (void) state;
    for (size_t n = 0; n < count; n++) backwards[n] = uneven[count - 1 - n];
    struct slab_summary a = summarize(uneven, BOTH), b = summarize(backwards, BOTH);
    assert_int_equal(a.wasted_bytes, b.wasted_bytes);
    assert_int_equal(a.free_while_evicting_bytes, b.free_while_evicting_bytes);
    assert_int_equal(a.eviction_age_s, b.eviction_age_s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_uneven_classes),
        cmocka_unit_test(test_both_commands_are_needed),
        cmocka_unit_test(test_server_without_items),
        cmocka_unit_test(test_free_without_evictions),
        cmocka_unit_test(test_large_items_of_an_old_server),
        cmocka_unit_test(test_order_of_lines_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
