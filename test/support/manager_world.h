/* A manager on a loop, with a fleet and three scripted servers. Include this header after <cmocka.h>. */
#ifndef SUPPORT_MANAGER_WORLD_H
#define SUPPORT_MANAGER_WORLD_H

#include "fleet_world.h"
#include "targets/manager.h"

struct manager_world {
    struct fleet_world fleet;
    struct options options; /* options from the arguments */
    struct manager *manager;
    bool set, closed;
    int status; /* status of the last configuration that was set */
    char error[512];
};

/* Opens the world. `arguments` ends with NULL and has no argv[0]. */
static inline void manager_world_open(struct manager_world *world, const char *const *arguments)
{
    char *argv[16] = {(char *) "program"}, *const environment[] = {NULL};
    struct buffer text;
    for (size_t n = 0; arguments[n]; n++) argv[n + 1] = (char *) arguments[n];
    *world = (struct manager_world){0};
    fleet_world_open(&world->fleet);
    buffer_init(&text, OPTIONS_TEXT_MAX);
    if (options_parse(&world->options, argv, environment, &text) != OPTIONS_RUN)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&text)));
    buffer_deinit(&text);
    struct manager_context context = {
        .loop = &world->fleet.loop,
        .flags = &world->options,
        .fleet = world->fleet.fleet,
        .resolver = world->fleet.resolver,
    };
    assert_int_equal(manager_new(&world->manager, &context), 0);
}

static inline void manager_world_on_set(void *context, int status, const char *error)
{
    struct manager_world *world = context;
    world->set = true;
    world->status = status;
    snprintf(world->error, sizeof(world->error), "%s", error);
}

/* Sets a configuration from a valid text, and waits until it is active. */
static inline void manager_world_set(struct manager_world *world, const char *text)
{
    struct config_rules rules = settings_rules(&world->options);
    struct config *config = calloc(1, sizeof(*config));
    struct buffer error;
    buffer_init(&error, 4096);
    if (config_read(config, "/etc/exporter.yml", slice_of(text), &rules, &error) != 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    world->set = false;
    assert_int_equal(manager_set(world->manager, config, manager_world_on_set, world, &error), 0);
    buffer_deinit(&error);
    loop_run_until(&world->fleet.loop, &world->set);
    assert_string_equal(world->error, "");
    assert_int_equal(world->status, 0);
}

/* Closes the world. Fails the test if anything is left on the loop. */
static inline void manager_world_close(struct manager_world *world)
{
    manager_close(world->manager, world_set_true, &world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    options_deinit(&world->options);
}

#endif
