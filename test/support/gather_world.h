/* A request for the targets of a fleet_world, and its gather. Include this header after <cmocka.h>. */
#ifndef SUPPORT_GATHER_WORLD_H
#define SUPPORT_GATHER_WORLD_H

#include "base/container.h"
#include "exposition.h"
#include "fleet_world.h"
#include "gather/gather.h"

struct gather_world {
    struct fleet_world fleet;
    struct target_set target_set; /* the world's targets; never freed by a release */
    struct scrape_request *request;
    struct gather *gather;
    bool ready, ended;
};

static inline int gather_world_setup(void **state)
{
    struct gather_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    fleet_world_open(&world->fleet);
    *state = world;
    return 0;
}

static inline int gather_world_teardown(void **state)
{
    struct gather_world *world = *state;
    fleet_world_close(&world->fleet);
    free(world);
    return 0;
}

static inline void gather_world_on_done(void *context)
{
    struct gather_world *world = context;
    assert_false(world->ready || world->ended);
    world->ready = true;
}

/* Creates the request of the next scrape, for the world's targets and the text format. */
static inline struct scrape_request *gather_world_request(struct gather_world *world)
{
    world->target_set.references =
        2; /* one of the request, and one that prevents the target set from being freed */
    world->request = scrape_request_new();
    assert_non_null(world->request);
    world->request->target_set = &world->target_set;
    world->request->commands = WORLD_COMMANDS;
    world->request->timeout_ms = 5000;
    return world->request;
}

static inline void gather_world_start(struct gather_world *world)
{
    world->ready = world->ended = false;
    world->target_set.targets = world->fleet.targets;
    assert_int_equal(gather_start(&world->gather, world->request, world->fleet.fleet, &world->fleet.telemetry,
                                  gather_world_on_done, world),
                     0);
    assert_false(world->ready);
}

static inline void gather_world_run(struct gather_world *world)
{
    gather_world_start(world);
    loop_run_until(&world->fleet.loop, &world->ready);
    assert_false(world->ended);
}

/* Releases the gather and the request. */
static inline void gather_world_release(struct gather_world *world)
{
    gather_release(world->gather);
    scrape_request_release(world->request);
}

/* Moves the world's targets into the request, as targets from a URL. The world has none afterwards. */
static inline void gather_world_move_targets(struct gather_world *world)
{
    world->request->target_set = NULL;
    world->request->url_targets = world->fleet.targets;
    world->fleet.targets = (struct target_list){0};
}

#endif
