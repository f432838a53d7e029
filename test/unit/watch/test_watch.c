/* Which servers are watched, when, and how many at once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"
#include "watch/watch.h"

struct turns_world {
    struct fleet_world fleet;
    struct watch *watch;
    struct watch_config config;
    struct census_config census;            /* off, unless a test sets it */
    unsigned asked[WORLD_SERVERS], watched; /* `stats` by server, and all `watch` */
    unsigned counted, dumps;                /* censuses that have begun, and dumps */
    bool holds;                             /* dumps do not end */
    bool closed;
};

static struct turns_world *world_of(struct fake_connection *connection)
{
    return connection->server->context;
}

static const char *answer(struct fake_connection *connection, const char *request)
{
    struct turns_world *world = world_of(connection);
    if (strcmp(request, "stats\r\n") == 0) {
        world->asked[connection->server - world->fleet.servers]++;
        return "STAT version 1.6.45\r\nSTAT log_worker_dropped 0\r\nEND\r\n";
    }
    if (strcmp(request, "stats slabs\r\n") == 0) {
        world->counted++;
        return "STAT 1:used_chunks 1\r\nEND\r\n";
    }
    if (strncmp(request, "lru_crawler", 11) == 0) {
        world->dumps++;
        return world->holds ? "OK\r\n" : "OK\r\nkey=a%3A1 exp=-1 la=5 cas=1 fetch=no cls=1 size=60\nEND\r\n";
    }
    world->watched++;
    return "OK\r\nts=1.2 gid=7 type=item_get key=a status=found clsid=1 cfd=30 size=10\n";
}

static int setup(void **state)
{
    struct turns_world *world = calloc(1, sizeof(*world));
    fleet_world_open(&world->fleet);
    for (size_t n = 0; n < WORLD_SERVERS; n++) {
        world->fleet.servers[n].answer = answer;
        world->fleet.servers[n].context = world;
        world_add_server(&world->fleet, n);
    }
    assert_int_equal(watch_new(&world->watch, &world->fleet.loop, world->fleet.resolver,
                               fleet_limiter(world->fleet.fleet)),
                     0);
    watch_config_init(&world->config);
    world->config.enabled = true;
    world->config.window_ns = 100000000;
    world->config.every_ns = 200000000;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct turns_world *world = *state;
    watch_close(world->watch, world_set_true, &world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    free(world);
    return 0;
}

static void set(struct turns_world *world)
{
    watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items,
              world->fleet.targets.count);
}

static const struct watch_record *record_of(struct turns_world *world, size_t n)
{
    struct watched *watched = watch_find(world->watch, world->fleet.targets.items[n]->client->key.name);
    return watched ? &watched->record : NULL;
}

static void run_until_watched(struct turns_world *world, size_t n, uint64_t windows)
{
    while (record_of(world, n)->windows[WATCH_COMPLETE] < windows) uv_run(&world->fleet.loop, UV_RUN_ONCE);
}

static void sends_nothing_when_off(void **state)
{
    struct turns_world *world = *state;
    world->config.enabled = false;
    set(world);
    loop_run_for(&world->fleet.loop, 50);
    assert_int_equal(watch_count(world->watch), 0);
    for (size_t n = 0; n < WORLD_SERVERS; n++) assert_int_equal(world->fleet.servers[n].accepted, 0);
}

static void watches_each_again_and_again(void **state)
{
    struct turns_world *world = *state;
    set(world);
    assert_int_equal(watch_count(world->watch), WORLD_SERVERS);
    for (size_t n = 0; n < WORLD_SERVERS; n++) run_until_watched(world, n, 2);
    for (size_t n = 0; n < WORLD_SERVERS; n++)
        assert_true(record_of(world, n)->events[WATCH_FETCHERS][0] >= 2);
}

/* A server with two names is one server. */
static void watches_a_server_once(void **state)
{
    struct turns_world *world = *state;
    struct target *twice[] = {world->fleet.targets.items[0], world->fleet.targets.items[0]};
    watch_set(world->watch, &world->config, &world->census, twice, 2);
    assert_int_equal(watch_count(world->watch), 1);
    assert_ptr_equal(watch_server(world->watch, 0), watch_find(world->watch, twice[0]->client->key.name));
    assert_null(watch_find(world->watch, "10.0.0.1:1"));
}

static unsigned count_open(const struct turns_world *world)
{
    unsigned open = 0;
    for (size_t n = 0; n < watch_count(world->watch); n++)
        open += watch_server(world->watch, n)->window != NULL;
    return open;
}

/* All are due at once, and the limit is what the settings say. */
static void keeps_to_the_limit(void **state)
{
    struct turns_world *world = *state;
    unsigned most = 0;
    world->config.servers = 2;
    world->config.window_ns = 200000000;
    world->config.every_ns = 400000000;
    set(world);
    while (record_of(world, 2)->windows[WATCH_COMPLETE] < 3) {
        uv_run(&world->fleet.loop, UV_RUN_ONCE);
        if (count_open(world) > most) most = count_open(world);
    }
    assert_int_equal(most, 2);
}

static void keeps_counts_of_servers_that_stay(void **state)
{
    struct turns_world *world = *state;
    set(world);
    run_until_watched(world, 0, 1);
    struct watched *kept =
        watched_hold(watch_find(world->watch, world->fleet.targets.items[0]->client->key.name));
    watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items, 1);
    assert_int_equal(watch_count(world->watch), 1);
    assert_ptr_equal(watch_server(world->watch, 0), kept);
    assert_int_equal(kept->record.windows[WATCH_COMPLETE], 1);
    world->config.keys = WATCH_KEYS_NONE;
    set(world);
    assert_ptr_not_equal(watch_find(world->watch, kept->address), kept);
    assert_int_equal(record_of(world, 0)->windows[WATCH_COMPLETE], 0);
    world->config.enabled = false;
    set(world);
    assert_int_equal(watch_count(world->watch), 0);
    assert_int_equal(kept->record.windows[WATCH_COMPLETE], 1);
    watched_release(kept);
}

static uint64_t censuses(const struct turns_world *world)
{
    uint64_t sum = 0;
    for (size_t n = 0; n < watch_count(world->watch); n++)
        sum += watch_server(world->watch, n)->censuses[CENSUS_COMPLETE];
    return sum;
}

/* Only the census is on, and all servers are due at once. */
static void set_census(struct turns_world *world)
{
    world->config.enabled = false;
    census_config_init(&world->census);
    world->census.enabled = true;
    set(world);
    for (size_t n = 0; n < WORLD_SERVERS; n++) watch_server(world->watch, n)->census_due_ms = 0;
}

/* Nothing but the census is asked, and each server once within the hour. */
static void counts_one_server_after_the_other(void **state)
{
    struct turns_world *world = *state;
    set_census(world);
    while (censuses(world) < WORLD_SERVERS) uv_run(&world->fleet.loop, UV_RUN_ONCE);
    loop_run_for(&world->fleet.loop, 50);
    assert_int_equal(world->counted, WORLD_SERVERS);
    assert_int_equal(world->watched, 0);
    assert_int_equal(watch_server(world->watch, 0)->census.count, 2);
}

/* A server that never ends its dump keeps the others waiting, not asked. */
static void counts_one_server_at_a_time(void **state)
{
    struct turns_world *world = *state;
    world->holds = true;
    set_census(world);
    while (world->dumps == 0) uv_run(&world->fleet.loop, UV_RUN_ONCE);
    loop_run_for(&world->fleet.loop, 50);
    assert_int_equal(world->counted, 1);
    world->census.enabled = false;
    set(world);
    assert_int_equal(watch_count(world->watch), 0);
}

/* Changed and closed at every turn, windows open or not. */
static void changes_at_every_turn(void **state)
{
    struct turns_world *world = *state;
    for (unsigned turns = 0; turns < 12; turns++) {
        world->config.hot_keys = 1 + turns;
        census_config_init(&world->census);
        world->census.enabled = turns % 2;
        set(world);
        loop_turn(&world->fleet.loop, turns);
        watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items, turns % 3);
        loop_turn(&world->fleet.loop, 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(sends_nothing_when_off, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_each_again_and_again, setup, teardown),
        cmocka_unit_test_setup_teardown(watches_a_server_once, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_to_the_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_counts_of_servers_that_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_one_server_after_the_other, setup, teardown),
        cmocka_unit_test_setup_teardown(counts_one_server_at_a_time, setup, teardown),
        cmocka_unit_test_setup_teardown(changes_at_every_turn, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
