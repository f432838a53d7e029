/* A discoverer on a loop, and its answers, for the tests of each kind of discoverer. */
#ifndef SUPPORT_DISCOVERER_WORLD_H
#define SUPPORT_DISCOVERER_WORLD_H

#include "discovery/discoverer.h"
#include "discovery/discovery.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct discoverer_world {
    uv_loop_t loop;
    struct discoverer *discoverer;
    unsigned answers, nudges, closed;
    bool close_on_answer;
    /*
     * The last answer as text: addresses separated by blanks, or "same", or nothing. If there is an error,
     * '!' and its text follow.
     */
    char answer[8192];
    struct results found; /* results of the last answer that had any */
};

static struct discoverer_world world;

static inline void on_discoverer_closed(struct discoverer *discoverer)
{
    assert_ptr_equal(discoverer->owner, &world);
    world.closed++;
}

static inline void close_discoverer(void)
{
    world.discoverer->kind->close(world.discoverer);
    world.discoverer = NULL;
}

static inline void on_answer(struct discoverer *discoverer, const struct discovery_answer *answer)
{
    assert_ptr_equal(discoverer->owner, &world);
    assert_true(answer->found || answer->unchanged || answer->error);
    assert_false(answer->found && answer->unchanged);
    world.answers++;
    world.answer[0] = '\0';
    if (answer->unchanged) strcpy(world.answer, "same");
    if (answer->found) {
        results_deinit(&world.found);
        world.found = *answer->found;
        results_init(answer->found);
        for (size_t n = 0; n < world.found.count && n < 10; n++)
            sprintf(world.answer + strlen(world.answer), "%s%s", n ? " " : "",
                    world.found.targets[n].address);
    }
    if (answer->error) snprintf(world.answer + strlen(world.answer), 4096, "!%s", answer->error);
    assert_null(strchr(world.answer, '\n'));
    if (world.close_on_answer) close_discoverer();
}

static inline void on_nudge(struct discoverer *discoverer)
{
    assert_ptr_equal(discoverer->owner, &world);
    world.nudges++;
}

static inline void open_world(void)
{
    memset(&world, 0, sizeof(world));
    results_init(&world.found);
    loop_open(&world.loop);
}

static inline void open_discoverer(discoverer_new_fn *make, const struct discovery_config *config)
{
    const struct discovery_services services = {.loop = &world.loop};
    struct buffer error;
    buffer_init(&error, 4096);
    assert_int_equal(make(&world.discoverer, &services, config, &error), 0);
    assert_int_equal(error.len, 0);
    world.discoverer->on_done = on_answer;
    world.discoverer->on_nudge = on_nudge;
    world.discoverer->on_close = on_discoverer_closed;
    world.discoverer->owner = &world;
}

static inline void ask(void)
{
    assert_int_equal(world.discoverer->kind->ask(world.discoverer), 0);
}

static inline void assert_answer(const char *expected)
{
    ask();
    loop_run_until_count(&world.loop, &world.answers, world.answers + 1);
    assert_string_equal(world.answer, expected);
}

/* Closes the discoverer. The caller closes the loop. */
static inline void end_discoverer(void)
{
    if (world.discoverer) close_discoverer();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.closed, 1);
    results_deinit(&world.found);
}

#endif
