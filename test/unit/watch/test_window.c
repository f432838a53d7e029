/* One window against a scripted server: what it counts, when it ends early, and what it does not ask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch_world.h"

#define GET(key) "ts=1.2 gid=7 type=item_get key=" key " status=found clsid=1 cfd=30 size=10\n"

struct window_world {
    struct watch_world world;
    struct window *window;
    bool done;
    enum watch_result result;
    char why[256];
};

static void on_done(void *context, enum watch_result result, const char *why)
{
    struct window_world *world = context;
    assert_false(world->done);
    world->done = true;
    world->result = result;
    snprintf(world->why, sizeof(world->why), "%s", why);
}

static int setup(void **state)
{
    struct window_world *world = calloc(1, sizeof(*world));
    watch_world_open(&world->world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct window_world *world = *state;
    window_free(world->window);
    watch_world_close(&world->world);
    free(world);
    return 0;
}

static void start(struct window_world *world)
{
    struct window_plan plan = {watch_world_feed(&world->world), &world->world.config, &world->world.secret,
                               &world->world.record};
    assert_int_equal(window_start(&world->window, &plan, on_done, world), 0);
}

static enum watch_result run(struct window_world *world)
{
    start(world);
    loop_run_until(&world->world.loop, &world->done);
    assert_int_equal(world->world.record.windows[world->result], 1);
    return world->result;
}

static void counts_what_it_sees(void **state)
{
    struct window_world *world = *state;
    struct watch_record *record = &world->world.record;
    world->world.watch_reply = "OK\r\n" GET("a%3A1") GET("b")
        GET("a%3A1") "what is this\n"
                     "ts=1.2 gid=7 type=conn_new rip=1 rport=1\n"
                     "ts=1.2 gid=7 type=eviction key=k fetch=yes ttl=-1 la=86 clsid=1 size=9\n";
    assert_int_equal(run(world), WATCH_COMPLETE);
    assert_string_equal(world->world.command, "watch fetchers mutations evictions\r\n");
    assert_int_equal(record->events[WATCH_FETCHERS][0], 3);
    assert_int_equal(record->events[WATCH_EVICTIONS][1], 1);
    assert_int_equal(record->skipped[WATCH_SKIP_EXPORTER], 1);
    assert_int_equal(record->report.fetches, 3);
    assert_int_equal(record->report.keys.count, 2);
    assert_true(slice_is(record->report.keys.items[0].text, "a:1"));
    assert_int_equal(record->report.evicted[1], 1);
    assert_true(record->report.length_ms >= 300);
    assert_true(world->world.stats_asked >= 2);
}

/* Servers before 1.6.45 may crash: not even a second connection is made to them. */
static void leaves_old_servers_alone(void **state)
{
    struct window_world *world = *state;
    world->world.version = "1.6.44";
    assert_int_equal(run(world), WATCH_UNSUPPORTED);
    assert_int_equal(world->world.watched, 0);
    assert_int_equal(world->world.server.accepted, 1);
    assert_non_null(strstr(world->why, "memcached 1.6.44 may crash"));
    assert_false(world->world.record.report.exists);
}

static void leaves_strangers_alone(void **state)
{
    struct window_world *world = *state;
    world->world.version = "x";
    assert_int_equal(run(world), WATCH_UNSUPPORTED);
    assert_int_equal(world->world.watched, 0);
}

/* An old version that the operator trusts gets the streams that it knows. */
static void watches_trusted_versions(void **state)
{
    struct window_world *world = *state;
    world->world.version = "1.6.18";
    world->world.config.streams |= WATCH_BIT(WATCH_DELETIONS) | WATCH_BIT(WATCH_PROXYREQS);
    world->world.config.trusted[world->world.config.trusted_count++] = (struct server_version){{1, 6, 18}};
    assert_int_equal(run(world), WATCH_COMPLETE);
    assert_string_equal(world->world.command, "watch fetchers mutations evictions proxyreqs\r\n");
}

static void ends_when_the_server_skips(void **state)
{
    struct window_world *world = *state;
    world->world.config.window_ns = 60000000000;
    world->world.watch_reply = "OK\r\n" GET("a") "skipped=12\n" GET("b");
    assert_int_equal(run(world), WATCH_DROPPED);
    assert_int_equal(world->world.record.skipped[WATCH_SKIP_WATCHER], 12);
    assert_int_equal(world->world.record.report.fetches, 1);
}

static void ends_when_a_thread_drops(void **state)
{
    struct window_world *world = *state;
    world->world.config.window_ns = 60000000000;
    world->world.dropped = 100;
    world->world.drops_each = 3;
    world->world.watch_reply = "OK\r\n" GET("a");
    assert_int_equal(run(world), WATCH_DROPPED);
    assert_true(world->world.record.skipped[WATCH_SKIP_WORKER] >= 3);
    assert_true(world->world.record.skipped[WATCH_SKIP_WORKER] < 100);
}

static void ends_at_its_budget(void **state)
{
    struct window_world *world = *state;
    char *flood = calloc(1, 200000), *end = stpcpy(flood, "OK\r\n");
    for (unsigned n = 0; n < 2000; n++) end = stpcpy(end, GET("a"));
    world->world.config.window_ns = 60000000000;
    world->world.config.bytes_per_second = 50000;
    world->world.watch_reply = flood;
    assert_int_equal(run(world), WATCH_BUDGET);
    assert_in_range(world->world.record.report.fetches, 500, 800);
    loop_turn(&world->world.loop, 5);
    free(flood);
}

static void tells_a_refusal(void **state)
{
    struct window_world *world = *state;
    world->world.watch_reply = "WATCHER_TOO_MANY log watcher limit reached\r\n";
    assert_int_equal(run(world), WATCH_REFUSED);
    assert_string_equal(world->why, "the server said: WATCHER_TOO_MANY log watcher limit reached");
}

static void tells_a_failure(void **state)
{
    struct window_world *world = *state;
    world->world.address.port = 1;
    assert_int_equal(run(world), WATCH_FAILED);
    assert_string_equal(world->why, "connection refused");
}

static void gives_up_on_silence(void **state)
{
    struct window_world *world = *state;
    profile_release(world->world.profile);
    world->world.profile = profile_new(~0u, 200, NULL);
    world->world.watch_reply = NULL;
    assert_int_equal(run(world), WATCH_FAILED);
    assert_string_equal(world->why, "the server did not answer in time");
}

/* A server that goes away in the middle: what was seen is counted, and there is no report. */
static void tells_a_lost_watcher(void **state)
{
    struct window_world *world = *state;
    world->world.config.window_ns = 60000000000;
    world->world.watch_reply = "OK\r\n" GET("a");
    start(world);
    while (world->world.record.events[WATCH_FETCHERS][0] == 0) loop_turn(&world->world.loop, 1);
    fake_server_drop(&world->world.server);
    loop_run_until(&world->world.loop, &world->done);
    assert_int_equal(world->result, WATCH_FAILED);
    assert_false(world->world.record.report.exists);
}

static void is_freed_at_every_turn(void **state)
{
    struct window_world *world = *state;
    world->world.watch_reply = "OK\r\n" GET("a");
    for (unsigned turns = 0; turns < 16; turns++) {
        start(world);
        loop_turn(&world->world.loop, turns);
        window_free(world->window);
        world->window = NULL;
        assert_false(world->done);
        loop_turn(&world->world.loop, 4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(counts_what_it_sees, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_old_servers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_strangers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_trusted_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_when_the_server_skips, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_when_a_thread_drops, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_at_its_budget, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_up_on_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_lost_watcher, setup, teardown),
        cmocka_unit_test_setup_teardown(is_freed_at_every_turn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
