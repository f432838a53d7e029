#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "fleet_world.h"
#include "targets/providers.h"

struct world {
    struct fleet_world fleet;
    struct providers providers;
    unsigned changes;
    const struct results *found; /* by the one that changed last */
    bool closed;
};

static void on_change(void *context, const struct results *found)
{
    struct world *world = context;
    world->changes++;
    world->found = found;
}

static void on_closed(void *context)
{
    struct world *world = context;
    world_set_true(&world->closed);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    directory_open();
    fleet_world_open(&world->fleet);
    struct discovery_services services = {
        .loop = &world->fleet.loop,
        .resolver = world->fleet.resolver,
        .limiter = fleet_limiter(world->fleet.fleet),
    };
    providers_init(&world->providers, &services, on_change, world);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;
    providers_close(&world->providers, on_closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    directory_close();
    free(world);
    return 0;
}

static struct provider *use(struct world *world, const char *pattern)
{
    struct discovery_config config = {.kind = DISCOVERY_FILE_SD,
                                      .file_sd = {.patterns = &pattern, .count = 1, .directory = "/"}};
    struct provider *provider;
    struct buffer error;
    buffer_init(&error, 4096);
    assert_int_equal(providers_use(&provider, &world->providers, &config, &error), 0);
    buffer_deinit(&error);
    return provider;
}

/* Who asks for the same gets the same, with what it has found. */
static void test_shared(void **state)
{
    struct world *world = *state;
    write_file("a.json", "[{\"targets\": [\"127.0.0.1:5\"]}]");
    struct provider *first = use(world, path_of("a.json"));
    loop_run_until_count(&world->fleet.loop, &world->changes, 1);
    assert_ptr_equal(world->found, discovery_found(first->discovery));
    assert_int_equal(world->found->count, 1);
    struct provider *second = use(world, path_of("a.json"));
    assert_ptr_equal(first, second);
    assert_int_equal(discovery_found(second->discovery)->count, 1);
    struct provider *third = use(world, path_of("b.json"));
    assert_ptr_not_equal(first, third);
    provider_leave(first);
    assert_int_equal(discovery_found(second->discovery)->count, 1);
    provider_leave(second);
    provider_leave(third);
}

/* One that nobody uses any more is closed, and asked for anew by the next user. */
static void test_closed_with_the_last_user(void **state)
{
    struct world *world = *state;
    provider_leave(use(world, path_of("a.json")));
    struct provider *again = use(world, path_of("a.json"));
    assert_int_equal(again->users, 1);
    assert_false(discovery_state(again->discovery)->answered);
    provider_leave(again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_with_the_last_user, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
