/*
 * Discovery on a loop, with a name server and the services that it needs. The discoverer_new function that a
 * test passes selects the kind.
 */
#ifndef SUPPORT_DISCOVERY_WORLD_H
#define SUPPORT_DISCOVERY_WORLD_H

#include "base/log.h"
#include "discovery/discovery.h"
#include "dns_world.h"
#include "net/dns.h"
#include "net/limiter.h"
#include "net/resolver.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct discovery_world {
    struct dns_world names;
    struct dns *dns;
    struct resolver *resolver;
    struct limiter limiter;
    struct discovery_services services;
    struct discovery *discovery; /* NULL when closed */
    unsigned changes;
    bool close_inside; /* true: the next on_change closes the discovery */
    unsigned closed;
};

/* Opens the world. Only errors are logged, since log lines would mix with the results of the tests. */
static inline void world_open(struct discovery_world *world)
{
    uv_loop_t *loop = &world->names.loop;
    memset(world, 0, sizeof(*world));
    log_configure(LOG_ERROR, LOG_LOGFMT, STDERR_FILENO);
    dns_world_open(&world->names);
    assert_int_equal(dns_new(&world->dns, loop, world->names.servers), 0);
    assert_int_equal(resolver_new(&world->resolver, loop, world->names.servers), 0);
    limiter_init(&world->limiter, 1);
    world->services = (struct discovery_services){loop, world->dns, world->resolver, &world->limiter};
}

static inline void world_stop(struct discovery_world *world)
{
    unsigned before = world->closed;
    if (!world->discovery) return;
    discovery_close(world->discovery, dns_world_on_closed, &world->closed);
    world->discovery = NULL;
    assert_int_equal(world->closed, before);
}

static inline void world_on_change(void *context)
{
    struct discovery_world *world = context;
    world->changes++;
    if (world->close_inside) world_stop(world);
}

static inline void world_start(struct discovery_world *world, const struct discovery_config *config)
{
    struct buffer error;
    buffer_init(&error, 1024);
    world->changes = world->closed = 0;
    assert_int_equal(
        discovery_new(&world->discovery, &world->services, config, world_on_change, world, &error), 0);
    assert_int_equal(world->changes, 0);
    assert_int_equal(error.len, 0);
    buffer_deinit(&error);
}

/*
 * Runs the loop until `refreshes` answers have come, at most ten seconds. The turns do not wait for events,
 * so that no answer is skipped.
 */
static inline void world_await(struct discovery_world *world, uint64_t refreshes)
{
    uint64_t end = uv_hrtime() + UINT64_C(10000000000);
    while (world->discovery && discovery_state(world->discovery)->refreshes < refreshes) {
        assert_true(uv_hrtime() < end);
        loop_turn(&world->names.loop, 1);
        uv_sleep(1);
    }
    loop_turn(&world->names.loop, 1);
}

static inline void world_await_next(struct discovery_world *world)
{
    world_await(world, discovery_state(world->discovery)->refreshes + 1);
}

/* Closes the discovery, if open, and checks that nothing is left. */
static inline void world_close(struct discovery_world *world)
{
    world_stop(world);
    loop_run_until_count(&world->names.loop, &world->closed, 1);
    resolver_close(world->resolver, dns_world_on_closed, &world->names.closed);
    dns_close(world->dns, dns_world_on_closed, &world->names.closed);
    dns_world_close(&world->names, 2);
    assert_int_equal(world->closed, 1);
    assert_int_equal(world->limiter.inside, 0);
}

static inline const struct results_target *world_target(const struct discovery_world *world, size_t index)
{
    assert_true(index < discovery_found(world->discovery)->count);
    return &discovery_found(world->discovery)->targets[index];
}

/* Returns the value of a target's label, or "" if the target does not have it. */
static inline const char *world_label(const struct results_target *target, const char *name)
{
    for (size_t i = 0; i < target->label_count; i++) {
        if (strcmp(target->labels[i].name, name) == 0) return target->labels[i].value;
    }
    return "";
}

#endif
