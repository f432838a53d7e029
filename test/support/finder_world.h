/* A finder on a loop, and what it has answered: for the tests of each kind. */
#ifndef SUPPORT_FINDER_WORLD_H
#define SUPPORT_FINDER_WORLD_H

#include "discovery/discovery.h"
#include "discovery/finder.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct finder_world {
    uv_loop_t loop;
    struct finder *finder;
    unsigned answers, nudges, closed;
    bool close_on_answer;
    /* The last answer: addresses joined by blanks, or "same", or nothing; then '!' and the error, if any. */
    char answer[8192];
    struct found found; /* of the last one that had any */
};

static struct finder_world world;

static inline void on_finder_closed(struct finder *finder)
{
    assert_ptr_equal(finder->owner, &world);
    world.closed++;
}

static inline void close_finder(void)
{
    world.finder->kind->close(world.finder);
    world.finder = NULL;
}

static inline void on_answer(struct finder *finder, const struct finding *finding)
{
    assert_ptr_equal(finder->owner, &world);
    assert_true(finding->found || finding->unchanged || finding->error);
    assert_false(finding->found && finding->unchanged);
    world.answers++;
    world.answer[0] = '\0';
    if (finding->unchanged) strcpy(world.answer, "same");
    if (finding->found) {
        found_deinit(&world.found);
        world.found = *finding->found;
        found_init(finding->found);
        for (size_t n = 0; n < world.found.count && n < 10; n++)
            sprintf(world.answer + strlen(world.answer), "%s%s", n ? " " : "",
                    world.found.targets[n].address);
    }
    if (finding->error) snprintf(world.answer + strlen(world.answer), 4096, "!%s", finding->error);
    assert_null(strchr(world.answer, '\n'));
    if (world.close_on_answer) close_finder();
}

static inline void on_nudge(struct finder *finder)
{
    assert_ptr_equal(finder->owner, &world);
    world.nudges++;
}

static inline void open_world(void)
{
    memset(&world, 0, sizeof(world));
    found_init(&world.found);
    loop_open(&world.loop);
}

static inline void open_finder(finder_new_fn *make, const struct discovery_config *config)
{
    const struct discovery_services services = {.loop = &world.loop};
    struct buffer error;
    buffer_init(&error, 4096);
    assert_int_equal(make(&world.finder, &services, config, &error), 0);
    assert_int_equal(error.len, 0);
    world.finder->on_done = on_answer;
    world.finder->on_nudge = on_nudge;
    world.finder->on_close = on_finder_closed;
    world.finder->owner = &world;
}

static inline void ask(void)
{
    assert_int_equal(world.finder->kind->ask(world.finder), 0);
}

static inline void assert_answer(const char *expected)
{
    ask();
    loop_run_until_count(&world.loop, &world.answers, world.answers + 1);
    assert_string_equal(world.answer, expected);
}

/* The loop has to be closed by the caller. */
static inline void end_finder(void)
{
    if (world.finder) close_finder();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.closed, 1);
    found_deinit(&world.found);
}

#endif
