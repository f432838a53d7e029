/* Kept connections that have died without a word, and servers that are only slow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "loop.h"
#include "memcached/fan_out.h"
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>

#define SERVERS 20

/* Far more than any test needs. */
#define TIMEOUT_MS 10000

struct world {
    uv_loop_t loop;
    struct scripted_server servers[SERVERS];
    struct fleet *fleet;
    struct target *targets[SERVERS];
    struct fan_out *fan_out;
    bool done, closed;
};

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void script(struct world *world, const char *line)
{
    for (size_t n = 0; n < SERVERS; n++) assert_null(scripted_do(&world->servers[n], line));
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fleet_config config = {.max_connecting = 4, .idle_timeout_ns = 60000000000, .max_reply = 1 << 20};
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    struct profile *profile = profile_new(~0u, TIMEOUT_MS, NULL);
    for (size_t n = 0; n < SERVERS; n++) {
        struct address address;
        char text[32];
        assert_int_equal(scripted_start(&world->servers[n], &world->loop, (unsigned) n, "127.0.0.1", 0), 0);
        snprintf(text, sizeof(text), "127.0.0.1:%d", world->servers[n].port);
        assert_null(address_parse(&address, slice_of(text), 1));
        world->targets[n] = target_new(world->fleet, &address, profile, slice_of(text), SLICE(""));
        assert_non_null(world->targets[n]);
    }
    profile_release(profile);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    for (size_t n = 0; n < SERVERS; n++) target_release(world->targets[n]);
    fleet_close(world->fleet, set_true, &world->closed);
    loop_run_until(&world->loop, &world->closed);
    for (size_t n = 0; n < SERVERS; n++) scripted_stop(&world->servers[n]);
    loop_close(&world->loop);
    free(world);
    return 0;
}

/* Asks all of them; every one must be up, on a connection that was kept or not. */
static void expect_all_up(struct world *world, bool reused)
{
    world->done = false;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, SERVERS,
                                   COMMAND_BIT(COMMAND_STATS), TIMEOUT_MS, set_true, &world->done),
                     0);
    loop_run_until(&world->loop, &world->done);
    for (size_t n = 0; n < SERVERS; n++) {
        const struct snapshot *snapshot = fan_out_snapshot(world->fan_out, n);
        assert_string_equal(target_state_name(snapshot->state), "up");
        assert_int_equal(snapshot->reused, reused);
    }
    fan_out_free(world->fan_out);
}

static void test_connections_that_died_without_a_word(void **state)
{
    struct world *world = *state;
    expect_all_up(world, false);
    expect_all_up(world, true);
    assert_int_equal(fleet_counts(world->fleet).stalled, 0);
    script(world, "lose");
    expect_all_up(world, false);
    assert_int_equal(fleet_counts(world->fleet).stalled, SERVERS);
    assert_int_equal(fleet_counts(world->fleet).open, SERVERS);
    expect_all_up(world, true);
    assert_int_equal(fleet_counts(world->fleet).stalled, SERVERS);
}

/* The fresh connection would need as long again: the first whole answer wins, and the other one is closed. */
static void test_servers_that_are_slow(void **state)
{
    struct world *world = *state;
    expect_all_up(world, false);
    script(world, "delay 600");
    expect_all_up(world, true);
    assert_int_equal(fleet_counts(world->fleet).stalled, SERVERS);
    assert_int_equal(fleet_counts(world->fleet).open, SERVERS);
}

/* A server that is always slow is soon asked once; one that was lost after that is asked beside again. */
static void test_needless_dials_are_learnt_from(void **state)
{
    struct world *world = *state;
    expect_all_up(world, false);
    script(world, "delay 600");
    for (unsigned n = 0; n < 4; n++) {
        expect_all_up(world, true);
        assert_int_equal(fleet_counts(world->fleet).stalled, n == 0 ? SERVERS : 2 * SERVERS);
    }
    script(world, "answer");
    script(world, "lose");
    expect_all_up(world, false);
    assert_int_equal(fleet_counts(world->fleet).stalled, 3 * SERVERS);
    script(world, "delay 300");
    expect_all_up(world, true);
    assert_int_equal(fleet_counts(world->fleet).stalled, 4 * SERVERS);
}

/* Nobody takes new connections, so that the silent one is all there is. */
static void test_second_connection_cannot_be_made(void **state)
{
    struct world *world = *state;
    expect_all_up(world, false);
    script(world, "delay 600");
    for (size_t n = 0; n < SERVERS; n++) uv_poll_stop(&world->servers[n].accepting);
    expect_all_up(world, true);
    assert_int_equal(fleet_counts(world->fleet).open, SERVERS);
}

/* The exporter was stopped for a while: the answers wait in the kernel, and nobody is silent. */
static void test_answers_that_were_not_read_yet(void **state)
{
    struct world *world = *state;
    expect_all_up(world, false);
    world->done = false;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, SERVERS,
                                   COMMAND_BIT(COMMAND_STATS), TIMEOUT_MS, set_true, &world->done),
                     0);
    loop_turn(&world->loop, 1);
    assert_int_equal(world->servers[SERVERS - 1].requests, 2);
    assert_false(world->done);
    uv_sleep(STALL_MS + 100);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(fleet_counts(world->fleet).stalled, 0);
    fan_out_free(world->fan_out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_connections_that_died_without_a_word), TEST(test_servers_that_are_slow),
        TEST(test_needless_dials_are_learnt_from),       TEST(test_second_connection_cannot_be_made),
        TEST(test_answers_that_were_not_read_yet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
