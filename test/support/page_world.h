/*
 * Targets with a history of polls, for what the page at "/" says of them. Include this header after
 * <cmocka.h>.
 */
#ifndef SUPPORT_PAGE_WORLD_H
#define SUPPORT_PAGE_WORLD_H

#include "base/container.h"
#include "manager_world.h"

static inline int page_world_setup(void **state)
{
    struct manager_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    manager_world_open(world, (const char *const[]){"--memcached.address=", NULL});
    *state = world;
    return 0;
}

static inline int page_world_teardown(void **state)
{
    manager_world_close(*state);
    free(*state);
    return 0;
}

static inline void expect_in(const char *page, const char *text)
{
    if (!strstr(page, text)) fail_msg("not on the page: %s", text);
}

static inline size_t count_of(const char *page, const char *text)
{
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, text)); at++) count++;
    return count;
}

/* A poll of the n-th target that ended. */
static inline void say(struct manager_world *world, size_t n, struct snapshot *snapshot, uint64_t now_ms)
{
    struct client *client = manager_target_set(world->manager)->targets.items[n]->client;
    snapshot->duration_ns = 2500000;
    snapshot_finish(snapshot);
    history_observe(&client->history, snapshot, now_ms);
    snapshot_release(snapshot);
}

static inline struct snapshot *snapshot_of(const char *const (*stats)[2], size_t count)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, 1 << 20, 1);
    assert_non_null(snapshot);
    snapshot->answered = COMMAND_BIT(COMMAND_STATS);
    for (size_t n = 0; n < count; n++)
        assert_true(snapshot_add(snapshot, COMMAND_STATS, slice_of(stats[n][0]), slice_of(stats[n][1])));
    snapshot_judge(snapshot, TARGET_UP, "");
    return snapshot;
}

static inline struct snapshot *down(enum target_state state, const char *error)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, 1 << 20, 1);
    assert_non_null(snapshot);
    snapshot_judge(snapshot, state, error);
    return snapshot;
}

#endif
