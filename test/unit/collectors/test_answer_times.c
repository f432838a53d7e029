/* Times of the parts of polls, by group. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "exposition.h"
#include "fleet_world.h"
#include "memcached/fan_out.h"

#define TIMES "memcached_target_answer_seconds"

static void on_poll(void *context, const struct client *client, const struct snapshot *snapshot)
{
    struct fleet_world *world = context;
    answer_times_observe(&world->telemetry.answers, client->group, snapshot);
}

static int setup(void **state)
{
    struct fleet_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    fleet_world_open(world);
    world->telemetry.fleet = world->fleet;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fleet_world_close(*state);
    free(*state);
    return 0;
}

static char *expose(struct fleet_world *world)
{
    struct telemetry_walk walk;
    telemetry_walk_init(&walk, &world->telemetry);
    return exposition_text(FORMAT_TEXT, (struct walk *[]){&walk.walk}, 1);
}

static void expect_count(struct fleet_world *world, const char *group, const char *part, double expected)
{
    char series[256];
    char *text = expose(world);
    snprintf(series, sizeof(series), TIMES "_count{group=\"%s\",part=\"%s\"}", group, part);
    if (expected == 0)
        assert_null(strstr(text, series));
    else
        assert_true(value_of(text, series) == expected);
    free(text);
}

/* Each part counts where it ended, the whole of servers that are up. */
static void test_parts(void **state)
{
    struct fleet_world *world = *state;
    struct answer_times *answers = &world->telemetry.answers;
    unsigned web = fleet_group(world->fleet, "web"), other = fleet_group(world->fleet, "o\"ther");
    struct snapshot first = {.state = TARGET_UP,
                             .duration_ns = 4000000,
                             .part_ns = {[PART_CONNECT] = 2000000, [PART_FIRST_BYTE] = 1000000}};
    struct snapshot down = {
        .state = TARGET_TLS_ERROR, .duration_ns = 9000000, .part_ns = {[PART_CONNECT] = 3000000}};
    answer_times_observe(answers, web, &first);
    answer_times_observe(answers, web, &down);
    answer_times_observe(answers, other, &down);
    answer_times_observe(answers, 0, &first);
    expect_count(world, "web", "connect", 2);
    expect_count(world, "web", "first_byte", 1);
    expect_count(world, "web", "whole", 1);
    expect_count(world, "web", "tls", 0);
    expect_count(world, "web", "login", 0);
    expect_count(world, "o\\\"ther", "connect", 1);
    expect_count(world, "o\\\"ther", "whole", 0);
    expect_count(world, "", "whole", 1);
    char *text = expose(world);
    assert_true(value_of(text, TIMES "_sum{group=\"web\",part=\"connect\"}") == 0.005);
    assert_true(value_of(text, TIMES "_bucket{group=\"web\",part=\"connect\",le=\"0.0025\"}") == 1);
    free(text);
}

/* A kept connection has no connect. No part takes longer than the whole. */
static void test_polls(void **state)
{
    struct fleet_world *world = *state;
    world_add_server(world, 0);
    struct target *target = world->targets.items[0];
    target->client->group = fleet_group(world->fleet, "g");
    target->client->shared->on_poll = on_poll;
    target->client->shared->on_poll_context = world;
    for (unsigned round = 0; round < 3; round++) {
        struct fan_out *fan_out;
        bool done = false;
        assert_int_equal(fan_out_start(&fan_out, world->fleet, world->targets.items, 1, WORLD_COMMANDS, 5000,
                                       world_set_true, &done),
                         0);
        loop_run_until(&world->loop, &done);
        const struct snapshot *snapshot = fan_out_snapshot(fan_out, 0);
        uint64_t parts_ns = snapshot->part_ns[PART_CONNECT] + snapshot->part_ns[PART_FIRST_BYTE];
        assert_true(snapshot->part_ns[PART_FIRST_BYTE] > 0 && parts_ns <= snapshot->duration_ns);
        assert_int_equal(snapshot->part_ns[PART_CONNECT] > 0, round == 0);
        fan_out_free(fan_out);
    }
    expect_count(world, "g", "connect", 1);
    expect_count(world, "g", "first_byte", 3);
    expect_count(world, "g", "whole", 3);
}

/* Group names are bounded; what is beyond counts as no group. */
static void test_many_groups(void **state)
{
    struct fleet_world *world = *state;
    char name[32];
    for (unsigned n = 0; n < FLEET_GROUPS_MAX; n++) {
        snprintf(name, sizeof(name), "group %u", n);
        assert_int_equal(fleet_group(world->fleet, name), n + 1);
    }
    assert_int_equal(fleet_group(world->fleet, "one more"), 0);
    assert_int_equal(fleet_group(world->fleet, "group 7"), 8);
    assert_string_equal(fleet_group_name(world->fleet, 8), "group 7");
    assert_string_equal(fleet_group_name(world->fleet, 0), "");
    assert_int_equal(fleet_group(world->fleet, ""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_polls, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many_groups, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
