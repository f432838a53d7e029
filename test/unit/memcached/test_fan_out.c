#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "fake_server.h"
#include "loop.h"
#include "memcached/fan_out.h"

#include <stdio.h>
#include <stdlib.h>

#define WHOLE   "STAT pid 7\r\nEND\r\nEND\r\nEND\r\nEND\r\n"
#define SERVERS 3
#define COMMANDS                                                                                             \
    (COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_ITEMS) |               \
     COMMAND_BIT(COMMAND_SLABS))

/* A fleet over three scripted servers; targets are made from them as a test needs. */
struct world {
    uv_loop_t loop;
    struct fake_server servers[SERVERS];
    struct resolver *resolver;
    struct fleet *fleet;
    struct target *targets[400];
    size_t count;
    struct fan_out *fan_out;
    bool done, fleet_closed, resolver_closed;
};

/* A target with a profile of its own. */
static void add_target_with(struct world *world, int port, unsigned commands, uint64_t timeout_ms)
{
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_null(address_parse(&address, slice_of(text), 1));
    struct profile *profile = profile_new(commands, timeout_ms, policy_none());
    struct target *target =
        target_new(world->fleet, &address, profile, slice_of(text), SLICE("instance=\"x\""));
    assert_non_null(target);
    profile_release(profile);
    world->targets[world->count++] = target;
}

static void add_target(struct world *world, int port)
{
    add_target_with(world, port, ~0u, UINT64_MAX);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    struct fleet_config config = {
        .resolver = world->resolver,
        .max_connecting = 2,
        .idle_timeout_ns = 10000000000,
        .max_reply = 1 << 20,
        .max_unused = 2,
    };
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    for (size_t n = 0; n < SERVERS; n++) {
        fake_server_start(&world->servers[n], &world->loop);
        world->servers[n].reply = WHOLE;
    }
    *state = world;
    return 0;
}

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void release_targets(struct world *world)
{
    while (world->count) target_release(world->targets[--world->count]);
}

static int teardown(void **state)
{
    struct world *world = *state;
    release_targets(world);
    fleet_close(world->fleet, set_true, &world->fleet_closed);
    loop_run_until(&world->loop, &world->fleet_closed);
    resolver_close(world->resolver, set_true, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    for (size_t n = 0; n < SERVERS; n++) fake_server_stop(&world->servers[n]);
    loop_close(&world->loop);
    free(world);
    return 0;
}

static void start(struct world *world, uint64_t timeout_ms)
{
    world->done = false;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, world->count, COMMANDS,
                                   timeout_ms, set_true, &world->done),
                     0);
    assert_false(world->done);
}

static void run(struct world *world, uint64_t timeout_ms)
{
    start(world, timeout_ms);
    loop_run_until(&world->loop, &world->done);
}

static void expect_state(const struct world *world, size_t n, enum target_state state)
{
    const struct snapshot *snapshot = fan_out_snapshot(world->fan_out, n);
    assert_non_null(snapshot);
    assert_string_equal(target_state_name(snapshot->state), target_state_name(state));
}

static void test_all_answer(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) add_target(world, world->servers[n].port);
    run(world, 5000);
    assert_int_equal(fan_out_count(world->fan_out), SERVERS);
    for (size_t n = 0; n < SERVERS; n++) {
        expect_state(world, n, TARGET_UP);
        assert_ptr_equal(fan_out_target(world->fan_out, n), world->targets[n]);
    }
    fan_out_free(world->fan_out);
}

static void test_no_targets(void **state)
{
    struct world *world = *state;
    run(world, 5000);
    assert_int_equal(fan_out_count(world->fan_out), 0);
    fan_out_free(world->fan_out);
}

static void test_silent_targets_cost_only_themselves(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) add_target(world, world->servers[n].port);
    add_target(world, 1);
    world->servers[1].reply = NULL;
    for (unsigned turn = 0; turn < 2; turn++) {
        uint64_t started = uv_hrtime();
        run(world, 100);
        uint64_t took_ms = (uv_hrtime() - started) / 1000000;
        assert_true(took_ms >= 90 && took_ms < 1000);
        expect_state(world, 0, TARGET_UP);
        expect_state(world, 1, TARGET_TIMEOUT);
        expect_state(world, 2, TARGET_UP);
        expect_state(world, 3, TARGET_REFUSED);
        fan_out_free(world->fan_out);
    }
}

/* More targets than one turn of the loop asks, and than may connect at once; all of one server, so they share
 * its polls. */
static void test_many_targets_of_one_server(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < 400; n++) add_target(world, world->servers[0].port);
    run(world, 5000);
    for (size_t n = 0; n < 400; n++) expect_state(world, n, TARGET_UP);
    assert_int_equal(world->servers[0].accepted, 1);
    fan_out_free(world->fan_out);
}

static void test_freed_before_it_is_done(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) add_target(world, world->servers[n].port);
    for (unsigned turns = 0; turns < 10; turns++) {
        start(world, 5000);
        loop_turn(&world->loop, turns);
        bool done = world->done;
        fan_out_free(world->fan_out);
        loop_run_for(&world->loop, 20);
        assert_int_equal(world->done, done);
    }
    run(world, 5000);
    for (size_t n = 0; n < SERVERS; n++) expect_state(world, n, TARGET_UP);
    fan_out_free(world->fan_out);
}

/* A deadline in the past still gives one answer for each target that was asked. */
static void test_deadline_of_zero(void **state)
{
    struct world *world = *state;
    world->servers[0].reply = NULL;
    add_target(world, world->servers[0].port);
    run(world, 0);
    const struct snapshot *snapshot = fan_out_snapshot(world->fan_out, 0);
    assert_true(!snapshot || snapshot->state == TARGET_TIMEOUT);
    fan_out_free(world->fan_out);
}

static void test_two_rounds_share_polls(void **state)
{
    struct world *world = *state;
    struct fan_out *other;
    bool other_done = false;
    add_target(world, world->servers[0].port);
    start(world, 5000);
    assert_int_equal(
        fan_out_start(&other, world->fleet, world->targets, 1, COMMANDS, 5000, set_true, &other_done), 0);
    loop_run_until(&world->loop, &world->done);
    loop_run_until(&world->loop, &other_done);
    assert_int_equal(world->servers[0].requests, 1);
    assert_ptr_equal(fan_out_snapshot(world->fan_out, 0), fan_out_snapshot(other, 0));
    fan_out_free(other);
    fan_out_free(world->fan_out);
}

/* The server of a target that is gone keeps its connection for the next target with that address. */
static void test_server_outlives_its_targets(void **state)
{
    struct world *world = *state;
    for (unsigned n = 0; n < 3; n++) {
        add_target(world, world->servers[0].port);
        run(world, 5000);
        assert_int_equal(fan_out_snapshot(world->fan_out, 0)->reused, n > 0);
        fan_out_free(world->fan_out);
        release_targets(world);
    }
    assert_int_equal(world->servers[0].accepted, 1);
}

/* At most two servers without a target are remembered; the oldest goes. */
static void test_unused_servers_are_capped(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) {
        add_target(world, world->servers[n].port);
        run(world, 5000);
        fan_out_free(world->fan_out);
        release_targets(world);
    }
    add_target(world, world->servers[0].port);
    add_target(world, world->servers[2].port);
    run(world, 5000);
    assert_false(fan_out_snapshot(world->fan_out, 0)->reused);
    assert_true(fan_out_snapshot(world->fan_out, 1)->reused);
    fan_out_free(world->fan_out);
}

/* One that is given up at its own time, while the others go on to theirs; and none is over the fan-out's. */
static void test_targets_have_their_own_time(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) {
        add_target_with(world, world->servers[n].port, ~0u, n == 0 ? 30 : n == 1 ? 90 : UINT64_MAX);
        world->servers[n].reply = NULL;
    }
    uint64_t started_ns = uv_hrtime();
    run(world, 150);
    /* The loop's time lags behind the clock's. */
    assert_true(uv_hrtime() - started_ns >= 100 * 1000000ull);
    for (size_t n = 0; n < SERVERS; n++) expect_state(world, n, TARGET_TIMEOUT);
    uint64_t first_ns = fan_out_snapshot(world->fan_out, 0)->duration_ns;
    uint64_t second_ns = fan_out_snapshot(world->fan_out, 1)->duration_ns;
    assert_true(first_ns < second_ns);
    assert_true(second_ns < fan_out_snapshot(world->fan_out, 2)->duration_ns);
    fan_out_free(world->fan_out);
}

/* Stops the loop for longer than the targets have, `turns` turns after they are asked. */
static void test_a_pause_is_not_booked_on_targets(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) add_target_with(world, world->servers[n].port, ~0u, 200);
    for (unsigned turns = 0; turns < 6; turns++) {
        start(world, 60000);
        loop_turn(&world->loop, turns);
        uv_sleep(500);
        loop_run_until(&world->loop, &world->done);
        for (size_t n = 0; n < SERVERS; n++) expect_state(world, n, TARGET_UP);
        fan_out_free(world->fan_out);
    }
}

/* The time of the fan-out itself does not move. */
static void test_a_pause_does_not_move_the_end(void **state)
{
    struct world *world = *state;
    add_target(world, world->servers[0].port);
    world->servers[0].reply = NULL;
    start(world, 300);
    loop_turn(&world->loop, 3);
    uv_sleep(400);
    uint64_t started_ns = uv_hrtime();
    loop_run_until(&world->loop, &world->done);
    assert_true(uv_hrtime() - started_ns < 200 * 1000000ull);
    expect_state(world, 0, TARGET_TIMEOUT);
    fan_out_free(world->fan_out);
}

/* The server is busy with a poll that asks less, so that another waits for the next: its time begins then. */
static void test_time_begins_when_the_turn_has_come(void **state)
{
    struct world *world = *state;
    struct fake_server *server = &world->servers[0];
    struct fan_out *second;
    bool second_done = false;
    add_target(world, server->port);
    server->reply = NULL;
    start(world, 60000);
    loop_run_until_count(&world->loop, &server->requests, 1);

    add_target_with(world, server->port, ~0u, 200);
    int status =
        fan_out_start(&second, world->fleet, &world->targets[1], 1, ~0u, 60000, set_true, &second_done);
    assert_int_equal(status, 0);
    loop_run_for(&world->loop, 500);
    assert_false(second_done);

    server->reply = WHOLE "END\r\nEND\r\nEND\r\nEND\r\n";
    uv_buf_t reply = uv_buf_init((char *) (uintptr_t) WHOLE, sizeof(WHOLE) - 1);
    uv_try_write((uv_stream_t *) &server->connections[0].tcp, &reply, 1);
    loop_run_until(&world->loop, &second_done);
    assert_string_equal(target_state_name(fan_out_snapshot(second, 0)->state), "up");
    assert_true(world->done);
    fan_out_free(second);
    fan_out_free(world->fan_out);
}

/* Without a time of the fan_out, that of the targets ends it. */
static void test_fan_out_without_end(void **state)
{
    struct world *world = *state;
    add_target(world, world->servers[0].port);
    add_target_with(world, world->servers[1].port, ~0u, 40);
    world->servers[1].reply = NULL;
    run(world, UINT64_MAX);
    expect_state(world, 0, TARGET_UP);
    expect_state(world, 1, TARGET_TIMEOUT);
    fan_out_free(world->fan_out);
}

/* A target is asked no more than its owner allows. */
static void test_targets_have_their_own_commands(void **state)
{
    struct world *world = *state;
    add_target_with(world, world->servers[0].port, COMMAND_BIT(COMMAND_STATS), UINT64_MAX);
    add_target(world, world->servers[1].port);
    run(world, 5000);
    assert_int_equal(fan_out_snapshot(world->fan_out, 0)->asked, COMMAND_BIT(COMMAND_STATS));
    assert_int_equal(fan_out_snapshot(world->fan_out, 1)->asked, COMMANDS | COMMAND_BIT(COMMAND_STATS));
    fan_out_free(world->fan_out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_all_answer),
        TEST(test_no_targets),
        TEST(test_silent_targets_cost_only_themselves),
        TEST(test_many_targets_of_one_server),
        TEST(test_freed_before_it_is_done),
        TEST(test_deadline_of_zero),
        TEST(test_two_rounds_share_polls),
        TEST(test_server_outlives_its_targets),
        TEST(test_unused_servers_are_capped),
        TEST(test_targets_have_their_own_time),
        TEST(test_a_pause_is_not_booked_on_targets),
        TEST(test_a_pause_does_not_move_the_end),
        TEST(test_time_begins_when_the_turn_has_come),
        TEST(test_fan_out_without_end),
        TEST(test_targets_have_their_own_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
