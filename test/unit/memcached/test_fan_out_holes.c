/*
 * Servers that swallow every packet cost themselves and nobody else, however many they are and wherever they
 * stand.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "loop.h"
#include "memcached/fan_out.h"
#include "scripted.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#define TARGETS 400

/* More than a third of a second, in which all have their turn, on a busy machine. */
#define TIMEOUT_MS 3000

enum order { HOLES_FIRST, HOLES_LAST, SHUFFLED };

/* One server answers at many addresses, and one swallows what comes to many. */
struct world {
    uv_loop_t loop;
    struct scripted_server healthy, hole;
    struct fleet *fleet;
    struct target *targets[TARGETS];
    bool is_hole[TARGETS];
    struct fan_out *fan_out;
    bool done, closed;
    unsigned up; /* of the fan-out under way */
};

static void set_true(void *context)
{
    *(bool *) context = true;
}

static void on_poll(void *context, const struct client *client, const struct snapshot *snapshot)
{
    struct world *world = context;
    (void) client;
    if (snapshot->state == TARGET_UP) world->up++;
}

static void place_holes(struct world *world, size_t holes, enum order order)
{
    unsigned seed = 1;
    for (size_t n = 0; n < TARGETS; n++)
        world->is_hole[n] = order == HOLES_LAST ? n >= TARGETS - holes : n < holes;
    for (size_t n = TARGETS - 1; order == SHUFFLED && n > 0; n--) {
        seed = seed * 1103515245 + 12345;
        size_t other = (seed >> 8) % (n + 1);
        bool moved = world->is_hole[n];
        world->is_hole[n] = world->is_hole[other];
        world->is_hole[other] = moved;
    }
}

static void open_world(struct world *world, unsigned limit, size_t holes, enum order order)
{
    struct fleet_config config = {
        .max_connecting = limit, .max_reply = 1 << 20, .on_poll = on_poll, .on_poll_context = world};
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    *world = (struct world){0};
    loop_open(&world->loop);
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    assert_int_equal(scripted_start(&world->healthy, &world->loop, 1, "0.0.0.0", 0), 0);
    assert_int_equal(scripted_start(&world->hole, &world->loop, 2, "0.0.0.0", 0), 0);
    assert_null(scripted_do(&world->hole, "full"));
    place_holes(world, holes, order);
    struct profile *profile = profile_new(~0u, TIMEOUT_MS, NULL);
    for (size_t n = 0; n < TARGETS; n++) {
        struct address address;
        char text[32];
        snprintf(text, sizeof(text), "127.8.%zu.%zu:%d", n / 200, n % 200 + 1,
                 world->is_hole[n] ? world->hole.port : world->healthy.port);
        assert_null(address_parse(&address, slice_of(text), 1));
        world->targets[n] = target_new(world->fleet, &address, profile, slice_of(text), SLICE(""));
        assert_non_null(world->targets[n]);
    }
    profile_release(profile);
}

static void close_world(struct world *world)
{
    for (size_t n = 0; n < TARGETS; n++) target_release(world->targets[n]);
    fleet_close(world->fleet, set_true, &world->closed);
    loop_run_until(&world->loop, &world->closed);
    scripted_stop(&world->healthy);
    scripted_stop(&world->hole);
    loop_close(&world->loop);
}

/* They are before the time of the holes is over; then all is given up. */
static void expect_the_healthy_up(struct world *world)
{
    unsigned healthy = 0;
    for (size_t n = 0; n < TARGETS; n++) healthy += !world->is_hole[n];
    world->done = false;
    world->up = 0;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, TARGETS,
                                   COMMAND_BIT(COMMAND_STATS), TIMEOUT_MS, set_true, &world->done),
                     0);
    while (world->up < healthy && !world->done) uv_run(&world->loop, UV_RUN_ONCE);
    assert_int_equal(world->up, healthy);
    fan_out_free(world->fan_out);
}

static void try_with(unsigned limit, size_t percent, enum order order)
{
    static struct world world;
    open_world(&world, limit, TARGETS * percent / 100, order);
    expect_the_healthy_up(&world);
    close_world(&world);
}

static void test_few_holes(void **state)
{
    (void) state;
    try_with(32, 10, HOLES_FIRST);
    try_with(256, 10, SHUFFLED);
}

static void test_half_of_them(void **state)
{
    (void) state;
    try_with(32, 50, HOLES_FIRST);
    try_with(32, 50, HOLES_LAST);
}

static void test_nearly_all(void **state)
{
    (void) state;
    try_with(32, 90, HOLES_FIRST);
    try_with(32, 90, SHUFFLED);
    try_with(256, 90, HOLES_FIRST);
}

/* Even one place is enough when holes wait behind all that answered last time. */
static void test_those_that_failed_wait_behind_the_others(void **state)
{
    static struct world world;
    (void) state;
    open_world(&world, 1, 60, HOLES_FIRST);
    expect_the_healthy_up(&world);
    expect_the_healthy_up(&world);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_few_holes),
        cmocka_unit_test(test_half_of_them),
        cmocka_unit_test(test_nearly_all),
        cmocka_unit_test(test_those_that_failed_wait_behind_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
