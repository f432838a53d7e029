/*
 * A fleet on a loop, three scripted servers and a list of targets, for tests of code that uses a fleet.
 * Include this header after <cmocka.h>.
 */
#ifndef SUPPORT_FLEET_WORLD_H
#define SUPPORT_FLEET_WORLD_H

#include "base/log.h"
#include "collectors/telemetry.h"
#include "fake_server.h"
#include "loop.h"
#include "targets/target_list.h"

#include <stdio.h>
#include <stdlib.h>

#define WORLD_SERVERS 3
#define WORLD_REPLY   "STAT pid 7\r\nSTAT curr_items 5\r\nEND\r\n"

/* The commands to ask when only `stats` is enabled. */
#define WORLD_COMMANDS COMMAND_BIT(COMMAND_STATS)

struct fleet_world {
    uv_loop_t loop;
    struct fake_server servers[WORLD_SERVERS];
    struct resolver *resolver;
    struct fleet *fleet;
    struct profile *profile; /* profile of configured targets: all commands, no timeout */
    struct telemetry telemetry;
    struct target_list targets;
    bool fleet_closed, resolver_closed;
};

static inline void world_set_true(void *context)
{
    bool *flag = context;
    assert_false(*flag);
    *flag = true;
}

static inline struct address world_address(const char *text)
{
    struct address address;
    const char *expected = address_parse(&address, slice_of(text), MEMCACHED_PORT);
    if (expected) fail_msg("%s: expected %s", text, expected);
    return address;
}

static inline void world_add(struct fleet_world *world, const char *name)
{
    struct address address = world_address(name);
    size_t count = world->targets.count;
    assert_int_equal(
        target_list_add(&world->targets, world->fleet, &address, world->profile, "instance", slice_of(name)),
        0);
    assert_int_equal(world->targets.count, count + 1);
}

/* Adds the n-th server as a target. */
static inline void world_add_server(struct fleet_world *world, size_t n)
{
    char name[64];
    snprintf(name, sizeof(name), "127.0.0.1:%d", world->servers[n].port);
    world_add(world, name);
}

/* Adds a target at an address where nothing listens. */
static inline void world_add_dead(struct fleet_world *world)
{
    world_add(world, "127.0.0.1:1");
}

static inline void world_on_poll(void *context, const struct client *client, const struct snapshot *snapshot)
{
    telemetry_observe_poll(context, client->key.name, snapshot);
}

static inline void fleet_world_open(struct fleet_world *world)
{
    *world = (struct fleet_world){0};
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(telemetry_init(&world->telemetry), 0);
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    struct fleet_config config = {
        .resolver = world->resolver,
        .max_connecting = 2,
        .idle_timeout_ns = 10000000000,
        .max_reply = 1 << 20,
        .max_prefixes = 10,
        .max_unused = 8,
        .on_poll = world_on_poll,
        .on_poll_context = &world->telemetry,
    };
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    world->profile = profile_new(~0u, UINT64_MAX, NULL);
    assert_non_null(world->profile);
    for (size_t n = 0; n < WORLD_SERVERS; n++) {
        fake_server_start(&world->servers[n], &world->loop);
        world->servers[n].reply = WORLD_REPLY;
    }
}

/* Closes the world. Fails the test if anything is left on the loop. */
static inline void fleet_world_close(struct fleet_world *world)
{
    target_list_clear(&world->targets);
    profile_release(world->profile);
    fleet_close(world->fleet, world_set_true, &world->fleet_closed);
    loop_run_until(&world->loop, &world->fleet_closed);
    resolver_close(world->resolver, world_set_true, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    for (size_t n = 0; n < WORLD_SERVERS; n++) fake_server_stop(&world->servers[n]);
    loop_close(&world->loop);
    telemetry_deinit(&world->telemetry);
}

#endif
