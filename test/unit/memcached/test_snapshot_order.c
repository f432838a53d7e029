/* Whatever came before: the entries are those that a plain sort gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "memcached/snapshot_order.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t dice = 1;

static size_t roll(size_t sides)
{
    dice = dice * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (size_t) (dice >> 33) % sides;
}

/* One stat of a made-up server. */
struct said {
    enum command command;
    char key[32], value[16];
};

#define SAID_MAX 2000

static struct said said[SAID_MAX];

static void say(size_t at, enum command command, const char *key, unsigned slab)
{
    said[at].command = command;
    if (slab)
        snprintf(said[at].key, sizeof(said[at].key), "items:%u:%s", slab, key);
    else
        snprintf(said[at].key, sizeof(said[at].key), "%s", key);
    snprintf(said[at].value, sizeof(said[at].value), "%zu", roll(1000));
}

/* Some classes with some stats each, and some stats that nobody knows. Returns how many. */
static size_t make_server(unsigned classes, unsigned unknown)
{
    static const char *const keys[] = {"number", "age", "evicted", "number_hot", "outofmemory"};
    size_t count = 0;
    say(count++, COMMAND_STATS, "uptime", 0);
    say(count++, COMMAND_STATS, "curr_items", 0);
    for (unsigned n = 0; n < unknown; n++) {
        char key[16];
        snprintf(key, sizeof(key), "new_%u", (n * 7) % unknown);
        say(count++, COMMAND_STATS, key, 0);
    }
    for (unsigned slab = 1; slab <= classes; slab++)
        for (size_t n = 0; n < 5; n++) say(count++, COMMAND_ITEMS, keys[n], slab);
    return count;
}

static void fill(struct snapshot_builder *builder, size_t count)
{
    snapshot_builder_init(builder, 1 << 20);
    for (size_t n = 0; n < count; n++)
        assert_true(
            snapshot_builder_add(builder, said[n].command, slice_of(said[n].key), slice_of(said[n].value)));
}

static int compare(const struct snapshot_builder *builder, const struct snapshot_builder_entry *a,
                   const struct snapshot_builder_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    struct slice left = snapshot_builder_key(builder, a), right = snapshot_builder_key(builder, b);
    size_t len = left.len < right.len ? left.len : right.len;
    int order = len ? memcmp(left.data, right.data, len) : 0;
    return order ? order : (left.len > right.len) - (left.len < right.len);
}

/* By insertion; of what is said twice the first stays. */
static size_t sort_plainly(const struct snapshot_builder *builder, struct snapshot_builder_entry *sorted)
{
    size_t count = 0;
    for (size_t n = 0; n < builder->count; n++) {
        const struct snapshot_builder_entry *entry = &builder->entries[n];
        size_t at = count;
        while (at > 0 && compare(builder, &sorted[at - 1], entry) > 0) at--;
        if (at > 0 && compare(builder, &sorted[at - 1], entry) == 0) continue;
        memmove(&sorted[at + 1], &sorted[at], (count - at) * sizeof(sorted[0]));
        sorted[at] = *entry;
        count++;
    }
    return count;
}

static void expect_sorted(size_t count)
{
    static struct snapshot_builder_entry sorted[SAID_MAX];
    struct snapshot_builder builder;
    fill(&builder, count);
    size_t kept = sort_plainly(&builder, sorted);
    assert_true(snapshot_order_sort(&builder));
    assert_int_equal(builder.count, kept);
    for (size_t n = 0; n < kept; n++) {
        assert_int_equal(builder.entries[n].text, sorted[n].text);
        assert_int_equal(builder.entries[n].row, sorted[n].row);
        assert_int_equal(builder.entries[n].number, sorted[n].number);
        if (sorted[n].key_len) continue;
        struct row_walk walk = row_walk_begin(&builder, sorted[n].row);
        assert_ptr_equal(row_walk_find(&walk, sorted[n].number), &builder.entries[n]);
    }
    snapshot_builder_deinit(&builder);
}

static void shuffle(size_t count, size_t swaps)
{
    while (swaps--) {
        size_t a = roll(count), b = roll(count);
        struct said kept = said[a];
        said[a] = said[b];
        said[b] = kept;
    }
}

/* Polls of many servers, of which each comes again in the same order, nearly the same order, and another. */
static void test_as_before(void **state)
{
    (void) state;
    for (size_t round = 0; round < 60; round++) {
        size_t count = make_server((unsigned) roll(30), (unsigned) roll(5));
        for (size_t n = 0; n < 3; n++) expect_sorted(count);
        shuffle(count, 1);
        for (size_t n = 0; n < 3; n++) expect_sorted(count);
        shuffle(count, count);
        for (size_t n = 0; n < 2; n++) expect_sorted(count);
    }
}

/* The same number of entries, at the same places those that are looked at, but one of them doubled. */
static void test_doubles(void **state)
{
    (void) state;
    for (size_t round = 0; round < 60; round++) {
        size_t count = make_server(20, 2);
        for (size_t n = 0; n < 2; n++) expect_sorted(count);
        said[roll(count)] = said[roll(count)];
        for (size_t n = 0; n < 2; n++) expect_sorted(count);
    }
}

static void test_many(void **state)
{
    (void) state;
    for (size_t n = 0; n < 2; n++) expect_sorted(make_server(300, 3));
}

static void test_none(void **state)
{
    (void) state;
    expect_sorted(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_before),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
