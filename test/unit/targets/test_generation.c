#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "manager_world.h"
#include "targets/generation.h"

static int setup(void **state)
{
    struct manager_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    directory_open();
    manager_world_open(world, (const char *const[]){"--memcached.address=", "--memcached.timeout=3s", NULL});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    manager_world_close(*state);
    directory_close();
    free(*state);
    return 0;
}

static const struct generation *generation_of(const struct manager_world *world)
{
    return manager_generation(world->manager);
}

static void test_modules(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "modules: {default: {timeout: 2s}, m: {timeout: 100ms}}");
    const struct generation *generation = generation_of(world);
    assert_int_equal(config_timeout_ms(generation_module(generation, SLICE(""))), 2000);
    assert_ptr_equal(generation_module(generation, SLICE("default")),
                     generation_module(generation, SLICE("")));
    assert_int_equal(config_timeout_ms(generation_module(generation, SLICE("m"))), 100);
    assert_null(generation_module(generation, SLICE("M")));
    manager_world_set(world, "modules: {m: {timeout: 100ms}}");
    assert_int_equal(config_timeout_ms(generation_module(generation_of(world), SLICE(""))), 3000);
}

static void test_policy(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "scrape_policy: {allow: [private]}");
    assert_ptr_not_equal(generation_policy(generation_of(world)), policy_none());
    manager_world_set(world, "groups: []");
    assert_ptr_equal(generation_policy(generation_of(world)), policy_none());
}

static void test_sources(void **state)
{
    struct manager_world *world = *state;
    char text[PATH_MAX * 2 + 256];
    write_file("x.json", "[{\"targets\": [\"127.0.0.1:5\"]}]");
    snprintf(
        text, sizeof(text),
        "groups:\n- {name: a, file_sd: {files: ['%s']}}\n- {name: b, file_sd: {files: ['%s/none.json']}}\n",
        path_of("x.json"), directory);
    manager_world_set(world, text);
    const struct generation *generation = generation_of(world);
    assert_int_equal(generation->provider_count, 2);
    assert_string_equal(generation_source(generation, 0).group, "a");
    assert_string_equal(generation_source(generation, 1).group, "b");
    assert_int_equal(generation_source(generation, 0).state->targets, 1);
    assert_true(generation_is_answered(generation));
    assert_int_equal(generation_found(generation)[0]->count, 1);
    assert_int_equal(generation_found(generation)[1]->count, 0);
}

/* One that is held goes on saying what it said, without its sources. */
static void test_retired(void **state)
{
    struct manager_world *world = *state;
    char text[PATH_MAX + 256];
    snprintf(text, sizeof(text), "target_label: server\ngroups: [{name: a, file_sd: {files: ['%s']}}]",
             path_of("x.json"));
    manager_world_set(world, text);
    struct generation *held = generation_hold(manager_generation(world->manager));
    assert_int_equal(held->provider_count, 1);
    manager_world_set(world, "groups: []");
    assert_ptr_not_equal(generation_of(world), held);
    assert_int_equal(held->provider_count, 0);
    assert_string_equal(held->settings.options.target_label, "server");
    assert_string_equal(held->config->groups[0].name, "a");
    generation_release(held);
    generation_release(NULL);
}

/* Also when memory is used again, no two generations are taken for one. */
static void test_numbers(void **state)
{
    struct manager_world *world = *state;
    unsigned long last = generation_of(world)->number;
    assert_int_equal(last, 1);
    for (unsigned n = 0; n < 20; n++) {
        manager_world_set(world, "groups: []");
        assert_true(generation_of(world)->number > last);
        last = generation_of(world)->number;
    }
}

/* Labels tell targets apart: a single address of the flags is alone for good. */
static void test_labels(void **state)
{
    struct manager_world *world = *state;
    const struct generation *flags = generation_of(world);
    assert_false(generation_needs_labels(flags, 1));
    assert_true(generation_needs_labels(flags, 2));
    manager_world_set(world, "groups: [{name: a, targets: [h:1]}]");
    assert_true(generation_needs_labels(generation_of(world), 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_modules), TEST(test_policy),  TEST(test_sources),
        TEST(test_retired), TEST(test_numbers), TEST(test_labels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
