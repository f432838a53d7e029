/* What a window reports: keys as far as they may be shown, prefixes, distinct keys, and bounded memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch/window_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tally_world {
    struct watch_config config;
    struct siphash_secret secret;
    struct watch_record record;
    struct window_tally *tally;
};

static int setup(void **state)
{
    struct tally_world *world = calloc(1, sizeof(*world));
    watch_config_init(&world->config);
    world->secret = (struct siphash_secret){{3, 4}};
    watch_record_init(&world->record, 1);
    world->tally = window_tally_new(&world->config, &world->secret, &world->record);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct tally_world *world = *state;
    window_tally_free(world->tally);
    watch_record_deinit(&world->record);
    free(world);
    return 0;
}

static void fetch(struct tally_world *world, const char *key, uint64_t size)
{
    struct watch_event event = {
        .kind = WATCH_EVENT, .stream = WATCH_FETCHERS, .size = size, .has_size = true};
    event.key_len = strlen(key);
    memcpy(event.key, key, event.key_len);
    window_tally_add(world->tally, &event, 1);
}

static void fill(struct tally_world *world)
{
    for (unsigned n = 0; n < 60; n++) fetch(world, "user:1", 10);
    for (unsigned n = 0; n < 30; n++) fetch(world, "session:9", 1000);
    for (unsigned n = 0; n < 10; n++) fetch(world, "plain", 1);
}

static const struct hot_list *report(struct tally_world *world, enum watch_keys keys)
{
    world->config.keys = keys;
    fill(world);
    window_tally_report(world->tally, WATCH_BIT(WATCH_FETCHERS), 2000, 5);
    assert_true(world->record.report.exists);
    return &world->record.report.keys;
}

static void ranks_by_fetches_and_by_bytes(void **state)
{
    struct tally_world *world = *state;
    const struct hot_list *keys = report(world, WATCH_KEYS_FULL);
    assert_int_equal(keys->count, 3);
    assert_int_equal(keys->total, 100);
    assert_true(slice_is(keys->items[0].text, "user:1"));
    assert_int_equal(keys->items[0].count, 60);
    assert_int_equal(keys->items[0].error, 0);
    assert_true(slice_is(keys->items[2].text, "plain"));
    assert_true(slice_is(world->record.report.bytes.items[0].text, "session:9"));
    assert_int_equal(world->record.report.bytes.items[0].count, 30000);
    assert_in_range((int) (world->record.report.distinct + 0.5), 3, 3);
}

static void shows_prefixes_only(void **state)
{
    struct tally_world *world = *state;
    const struct hot_list *keys = report(world, WATCH_KEYS_PREFIX);
    assert_true(slice_is(keys->items[0].text, "user"));
    assert_true(slice_is(keys->items[2].text, ""));
    assert_true(slice_is(world->record.report.prefixes.items[1].text, "session"));
    assert_int_equal(world->record.report.prefixes.total, 100);
}

/* Equal keys have equal hashes, and nothing else of the key is kept. */
static void shows_hashes_only(void **state)
{
    struct tally_world *world = *state;
    const struct hot_list *keys = report(world, WATCH_KEYS_HASH);
    char digits[20];
    snprintf(digits, sizeof(digits), "%016llx",
             (unsigned long long) siphash(&world->secret, SLICE("user:1")));
    assert_true(slice_is(keys->items[0].text, digits));
    assert_int_equal(world->record.report.prefixes.count, 0);
    assert_int_equal(world->record.prefix_count, 0);
}

static void shows_nothing(void **state)
{
    struct tally_world *world = *state;
    const struct hot_list *keys = report(world, WATCH_KEYS_NONE);
    assert_int_equal(keys->count, 3);
    assert_int_equal(keys->items[0].text.len, 0);
    assert_int_equal(world->record.report.prefixes.count, 0);
    assert_int_equal(world->record.prefix_count, 0);
}

/* A prefix gets a series once it is frequent, and counts from then on. */
static void gives_frequent_prefixes_series(void **state)
{
    struct tally_world *world = *state;
    for (unsigned n = 0; n < 1000; n++) {
        char key[32];
        snprintf(key, sizeof(key), "rare%u:x", n);
        fetch(world, key, 1);
    }
    for (unsigned n = 0; n < 500; n++) fetch(world, "user:1", 1);
    window_tally_report(world->tally, 1, 2000, 5);
    assert_int_equal(world->record.prefix_count, 1);
    assert_memory_equal(world->record.prefixes[0].name, "user", 4);
    assert_int_equal(world->record.other.found, 1500);
    fetch(world, "user:2", 1);
    assert_int_equal(world->record.prefixes[0].found, 1);
}

static void limits_the_number_of_prefixes(void **state)
{
    struct tally_world *world = *state;
    world->config.prefixes = 2;
    for (unsigned n = 0; n < 1000; n++) {
        char key[32];
        snprintf(key, sizeof(key), "p%u:x", n % 10);
        fetch(world, key, 1);
    }
    window_tally_report(world->tally, 1, 2000, 5);
    assert_int_equal(world->record.prefix_count, 2);
}

static void knows_what_is_no_prefix(void **state)
{
    (void) state;
    assert_true(slice_is(window_prefix(SLICE("user:1"), ':'), "user"));
    assert_true(slice_is(window_prefix(SLICE("user:1:2"), ':'), "user"));
    assert_int_equal(window_prefix(SLICE("user"), ':').len, 0);
    assert_int_equal(window_prefix(SLICE(":user"), ':').len, 0);
    assert_int_equal(window_prefix(SLICE("us er:1"), ':').len, 0);
    assert_int_equal(window_prefix(SLICE("us\xc3\xa4:1"), ':').len, 0);
    assert_int_equal(window_prefix(SLICE("us\n:1"), ':').len, 0);
    assert_int_equal(window_prefix(SLICE("other:1"), ':').len, 0);
    assert_int_equal(
        window_prefix(SLICE("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1"), ':').len,
        0);
}

/* A million different keys, and other streams. */
static void takes_a_flood(void **state)
{
    struct tally_world *world = *state;
    struct watch_event event = {.kind = WATCH_EVENT, .stream = WATCH_EVICTIONS, .status = 1, .ttl_s = 5};
    for (unsigned n = 0; n < 200000; n++) {
        char key[32];
        snprintf(key, sizeof(key), "%u:%u", n, n);
        fetch(world, key, n);
        window_tally_add(world->tally, &event, 1);
    }
    window_tally_report(world->tally, 1, 2000, 5);
    assert_int_equal(world->record.report.keys.count, 10);
    assert_int_equal(world->record.report.keys.bound, 200000 / WINDOW_COUNTERS);
    assert_int_equal(world->record.prefix_count, 0);
    assert_int_equal(world->record.report.evicted[1], 200000);
    assert_true(world->record.report.distinct > 190000 && world->record.report.distinct < 210000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ranks_by_fetches_and_by_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_prefixes_only, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_hashes_only, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_frequent_prefixes_series, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_the_number_of_prefixes, setup, teardown),
        cmocka_unit_test(knows_what_is_no_prefix),
        cmocka_unit_test_setup_teardown(takes_a_flood, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
