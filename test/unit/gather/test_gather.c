/* What a gather polls and holds, and its end at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gather_world.h"

/* Each server is asked by exactly one of the shards. */
static void test_shards(void **state)
{
    struct gather_world *world = *state;
    size_t targets = 0;
    for (size_t n = 0; n < WORLD_SERVERS; n++) world_add_server(&world->fleet, n);
    for (unsigned index = 0; index < 2; index++) {
        gather_world_request(world)->shard = (struct shard){index, 2};
        gather_world_run(world);
        targets += world->gather->targets;
        assert_int_equal(world->gather->up, world->gather->targets);
        gather_world_release(world);
    }
    assert_int_equal(targets, WORLD_SERVERS);
    for (size_t n = 0; n < WORLD_SERVERS; n++) assert_int_equal(world->fleet.servers[n].requests, 1);
}

static void test_only_target(void **state)
{
    struct gather_world *world = *state;
    for (unsigned count = 0; count < 3; count++) {
        gather_world_request(world);
        if (count) world_add_server(&world->fleet, count);
        gather_world_run(world);
        const struct snapshot *only = gather_only(world->gather);
        assert_int_equal(only != NULL, count == 1);
        if (only) assert_int_equal(only->state, TARGET_UP);
        if (only) assert_true(world->fleet.telemetry.pace.bytes_per_target == (double) only->records_len);
        gather_world_release(world);
    }
}

static void test_deadline(void **state)
{
    struct gather_world *world = *state;
    gather_world_request(world)->timeout_ms = 60;
    world->fleet.servers[0].reply = NULL;
    world_add_server(&world->fleet, 0);
    uint64_t started_ns = uv_hrtime();
    gather_world_run(world);
    assert_true(uv_hrtime() - started_ns >= 50 * 1000000ull);
    assert_int_equal(world->gather->up, 0);
    assert_int_equal(gather_only(world->gather)->state, TARGET_TIMEOUT);
    assert_int_equal(world->fleet.telemetry.results[SCRAPE_DOWN], 1);
    assert_in_range(world->fleet.telemetry.scrapes.sum * 1000, 50, 1 + (uv_hrtime() - started_ns) / 1000000);
    gather_world_release(world);
}

/* What is held twice lives until the second holder lets go. */
static void test_held_twice(void **state)
{
    struct gather_world *world = *state;
    gather_world_request(world);
    world_add_server(&world->fleet, 0);
    gather_world_run(world);
    assert_ptr_equal(gather_hold(world->gather), world->gather);
    gather_world_release(world);
    assert_int_equal(world->gather->up, 1);
    assert_int_equal(gather_only(world->gather)->state, TARGET_UP);
    gather_release(world->gather);
    gather_release(NULL);
}

/* Released after so many turns: it is never told of being done. */
static void test_released_at_every_turn(void **state)
{
    struct gather_world *world = *state;
    unsigned cancelled = 0;
    world_add_server(&world->fleet, 0);
    world_add_dead(&world->fleet);
    for (unsigned turns = 0; turns < 12; turns++) {
        gather_world_request(world);
        gather_world_start(world);
        fake_server_drop(&world->fleet.servers[0]);
        loop_turn(&world->fleet.loop, turns);
        bool ready = world->ready;
        gather_world_release(world);
        cancelled += !ready;
        loop_run_for(&world->fleet.loop, 10);
        assert_int_equal(world->ready, ready);
    }
    assert_true(cancelled > 1);
}

/* The same with targets of a URL, which go with the request: the fleet could not be closed with one left. */
static void test_released_with_url_targets(void **state)
{
    struct gather_world *world = *state;
    for (unsigned turns = 0; turns < 6; turns++) {
        gather_world_request(world);
        world_add_server(&world->fleet, 1);
        world_add_dead(&world->fleet);
        gather_world_move_targets(world);
        world->fleet.servers[1].reply = NULL;
        gather_world_start(world);
        loop_turn(&world->fleet.loop, turns);
        assert_false(world->ready);
        gather_world_release(world);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gather_world_setup, gather_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_shards),
        TEST(test_only_target),
        TEST(test_deadline),
        TEST(test_held_twice),
        TEST(test_released_at_every_turn),
        TEST(test_released_with_url_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
