/*
 * A server whose log can be watched, on a loop, and what a window needs to reach it. Include this header
 * after <cmocka.h>.
 */
#ifndef SUPPORT_WATCH_WORLD_H
#define SUPPORT_WATCH_WORLD_H

#include "base/log.h"
#include "fake_server.h"
#include "loop.h"
#include "watch/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch_world {
    uv_loop_t loop;
    struct fake_server server;
    struct resolver *resolver;
    struct limiter limiter;
    struct read_budget budget;
    struct profile *profile;
    struct address address;
    struct dial_record dial;
    struct siphash_secret secret;
    struct watch_config config;
    struct watch_record record;
    bool resolver_closed;
    /* The script of the server. */
    const char *version;
    unsigned dropped, drops_each; /* log_worker_dropped of the next `stats`, and by how much it grows */
    const char *watch_reply;      /* "OK\r\n", and what follows it */
    /* What the server has seen. */
    unsigned stats_asked, watched;
    struct fake_connection *watcher; /* connection of the last watcher */
    char command[256];               /* the last command `watch` */
    char stats[512];
};

static inline const char *watch_world_answer(struct fake_connection *connection, const char *request)
{
    struct watch_world *world = connection->server->context;
    if (strcmp(request, "stats\r\n") == 0) {
        world->stats_asked++;
        snprintf(world->stats, sizeof(world->stats),
                 "STAT pid 1\r\nSTAT version %s\r\nSTAT log_worker_dropped %u\r\nEND\r\n", world->version,
                 world->dropped);
        world->dropped += world->drops_each;
        return world->stats;
    }
    if (strncmp(request, "watch", 5) != 0) return "ERROR\r\n";
    snprintf(world->command, sizeof(world->command), "%s", request);
    world->watched++;
    world->watcher = connection;
    return world->watch_reply;
}

static inline void watch_world_on_budget_closed(struct read_budget *budget)
{
    (void) budget;
}

static inline void watch_world_set(void *context)
{
    *(bool *) context = true;
}

static inline void watch_world_open(struct watch_world *world)
{
    char text[64];
    *world = (struct watch_world){.version = "1.6.45", .watch_reply = "OK\r\n", .secret = {{1, 2}}};
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    fake_server_start(&world->server, &world->loop);
    world->server.answer = watch_world_answer;
    world->server.context = world;
    assert_int_equal(resolver_new(&world->resolver, &world->loop, "127.0.0.1:1"), 0);
    limiter_init(&world->limiter, 4);
    read_budget_init(&world->budget, &world->loop, 0);
    world->profile = profile_new(~0u, 5000, NULL);
    assert_non_null(world->profile);
    snprintf(text, sizeof(text), "127.0.0.1:%d", world->server.port);
    assert_null(address_parse(&world->address, slice_of(text), MEMCACHED_PORT));
    watch_config_init(&world->config);
    world->config.enabled = true;
    world->config.window_ns = 300000000;
    world->config.keys = WATCH_KEYS_FULL;
    watch_record_init(&world->record, 1);
}

/* Closes the world. Fails the test if anything is left on the loop. */
static inline void watch_world_close(struct watch_world *world)
{
    watch_record_deinit(&world->record);
    profile_release(world->profile);
    read_budget_close(&world->budget, watch_world_on_budget_closed);
    resolver_close(world->resolver, watch_world_set, &world->resolver_closed);
    loop_run_until(&world->loop, &world->resolver_closed);
    fake_server_stop(&world->server);
    loop_close(&world->loop);
}

static inline struct feed_plan watch_world_feed(struct watch_world *world)
{
    return (struct feed_plan){&world->loop,    world->resolver, &world->limiter, &world->budget,
                              &world->address, world->profile,  &world->dial};
}

#endif
