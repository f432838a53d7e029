/* What is told of servers that are watched, and that no label ever has a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "collectors/watched.h"
#include "exposition.h"
#include "fleet_world.h"
#include "watch/window_tally.h"

struct watched_world {
    struct fleet_world fleet;
    struct watch *watch;
    struct watch_config config;
    struct census_config census; /* off, unless a test sets it */
    struct fan_out *fan_out;
    bool done, closed;
};

static int setup(void **state)
{
    struct watched_world *world = calloc(1, sizeof(*world));
    fleet_world_open(&world->fleet);
    world_add_server(&world->fleet, 0);
    world_add_server(&world->fleet, 1);
    assert_int_equal(watch_new(&world->watch, &world->fleet.loop, world->fleet.resolver,
                               fleet_limiter(world->fleet.fleet)),
                     0);
    watch_config_init(&world->config);
    world->config.enabled = true;
    world->config.streams |= WATCH_BIT(WATCH_PROXYREQS);
    watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items, 1);
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet.fleet, world->fleet.targets.items, 2,
                                   WORLD_COMMANDS, UINT64_MAX, world_set_true, &world->done),
                     0);
    loop_run_until(&world->fleet.loop, &world->done);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct watched_world *world = *state;
    fan_out_free(world->fan_out);
    watch_close(world->watch, world_set_true, &world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    free(world);
    return 0;
}

static char *tell(struct watched_world *world, enum format format)
{
    struct watched_walk walk;
    assert_int_equal(watched_walk_init(&walk, world->watch, world->fan_out, false), 0);
    char *text = exposition_text(format, (struct walk *const[]){&walk.walk}, 1);
    watched_walk_deinit(&walk);
    return text;
}

static struct watch_record *record_of(struct watched_world *world)
{
    return &watch_server(world->watch, 0)->record;
}

static void fetch(struct window_tally *tally, const char *key, unsigned times)
{
    struct watch_event event = {.kind = WATCH_EVENT, .stream = WATCH_FETCHERS, .size = 10, .has_size = true};
    event.key_len = strlen(key);
    memcpy(event.key, key, event.key_len);
    while (times-- > 0) window_tally_add(tally, &event, 1);
}

static void watch_some(struct watched_world *world)
{
    struct siphash_secret secret = {{5, 6}};
    struct watch_record *record = record_of(world);
    struct window_tally *tally = window_tally_new(&world->config, &secret, record);
    record->streams = world->config.streams;
    fetch(tally, "user:1", 60);
    fetch(tally, "user:2", 30);
    fetch(tally, "secret-key", 10);
    window_tally_add(tally, &(struct watch_event){.stream = WATCH_EVICTIONS, .ttl_s = 30, .idle_s = 400}, 1);
    window_tally_add(
        tally,
        &(struct watch_event){
            .stream = WATCH_PROXYREQS, .status = 1, .elapsed_us = 2000, .backend = SLICE("10.0.0.1:11211")},
        1);
    window_tally_report(tally, world->config.streams, 2000, 5);
    record->windows[WATCH_COMPLETE]++;
    record->skipped[WATCH_SKIP_WORKER] = 4;
    fetch(tally, "user:3", 5);
    window_tally_free(tally);
}

/* Before the first window: that there were none. */
static void tells_nothing_of_nothing(void **state)
{
    char *text = tell(*state, FORMAT_TEXT);
    expect_line(text, "memcached_watch_windows_total{result=\"complete\"} 0");
    assert_int_equal(exposition_count(text, "memcached_hot_key"), 0);
    assert_int_equal(exposition_count(text, "memcached_watch_events_total"), 0);
    assert_int_equal(exposition_count(text, "memcached_stored_item_ttl_seconds"), 0);
    free(text);
}

static void tells_what_was_seen(void **state)
{
    watch_some(*state);
    char *text = tell(*state, FORMAT_TEXT);
    expect_line(text, "memcached_watch_events_total{stream=\"fetchers\",status=\"found\"} 105");
    expect_line(text, "memcached_watch_events_total{stream=\"evictions\",status=\"unfetched\"} 1");
    expect_line(text, "memcached_watch_skipped_total{where=\"worker\"} 4");
    expect_line(text, "memcached_watch_windows_total{result=\"complete\"} 1");
    expect_line(text, "memcached_hot_key_ratio{rank=\"1\"} 0.6");
    expect_line(text, "memcached_hot_key_ratio{rank=\"3\"} 0.1");
    expect_line(text, "memcached_hot_key_bytes_ratio{rank=\"2\"} 0.3");
    expect_line(text, "memcached_fetched_distinct_keys 3");
    expect_line(text, "memcached_prefix_fetches_total{prefix=\"user\",status=\"found\"} 5");
    expect_line(text, "memcached_prefix_fetches_total{prefix=\"other\",status=\"found\"} 100");
    expect_line(text, "memcached_evicted_items{fetched=\"no\"} 1");
    expect_line(text, "memcached_evicted_item_idle_seconds_bucket{le=\"600.0\"} 1");
    expect_line(text, "memcached_evicted_item_ttl_remaining_seconds_sum 30");
    expect_line(text,
                "memcached_proxy_request_duration_seconds_count{backend=\"10.0.0.1:11211\",result=\"ok\"} 1");
    free(text);
}

static void tells_a_census(void **state)
{
    struct watched_world *world = *state;
    struct siphash_secret secret = {{5, 6}};
    struct watched *watched = watch_server(world->watch, 0);
    struct census_item item = {.size = 100, .exp_s = 1030, .la_s = 990, .key_len = 6, .key = "user:1"};
    char *text = tell(world, FORMAT_TEXT);
    assert_int_equal(exposition_count(text, "memcached_census_"), 0);
    free(text);
    census_config_init(&world->census);
    struct census_tally *tally = census_tally_new(&world->census, &secret);
    census_tally_add(tally, &item, 1000);
    assert_int_equal(census_tally_report(tally, &watched->census), 0);
    census_tally_free(tally);
    watched->census.ended_s = 5;
    watched->census.dropped = 7;
    watched->censuses[CENSUS_COMPLETE] = 1;
    text = tell(world, FORMAT_TEXT);
    expect_line(text, "memcached_census_results_total{result=\"complete\"} 1");
    expect_line(text, "memcached_census_timestamp_seconds 5");
    expect_line(text, "memcached_census_dropped_items 7");
    expect_line(text, "memcached_census_items{prefix=\"user\"} 1");
    expect_line(text, "memcached_census_items{prefix=\"other\"} 0");
    expect_line(text, "memcached_census_bytes{prefix=\"user\"} 100");
    expect_line(text, "memcached_census_item_ttl_seconds_bucket{prefix=\"user\",le=\"60.0\"} 1");
    expect_line(text, "memcached_census_item_idle_seconds_bucket{prefix=\"user\",le=\"10.0\"} 1");
    expect_line(text, "memcached_census_item_size_bytes_bucket{prefix=\"user\",le=\"64.0\"} 0");
    assert_null(strstr(text, "user:1"));
    free(text);
}

/* Whatever may be shown elsewhere. */
static void tells_no_key(void **state)
{
    struct watched_world *world = *state;
    for (enum watch_keys keys = 0; keys < WATCH_KEYS_COUNT; keys++) {
        world->config.keys = keys;
        watch_some(world);
        for (enum format format = FORMAT_TEXT; format <= FORMAT_OPENMETRICS; format++) {
            char *text = tell(world, format);
            assert_null(strstr(text, "user:"));
            assert_null(strstr(text, "secret-key"));
            free(text);
        }
    }
}

/* Every label that a family has is one that no target may have. */
static void reserves_its_labels(void **state)
{
    (void) state;
    for (size_t n = 0; n < watched_collector.count; n++) {
        for (struct slice rest = slice_of(watched_collector.families[n]->labels); rest.len;)
            assert_true(watch_has_label(slice_cut(&rest, ',')));
    }
    assert_false(watch_has_label(SLICE("team")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tells_nothing_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_what_was_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_census, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_no_key, setup, teardown),
        cmocka_unit_test(reserves_its_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
