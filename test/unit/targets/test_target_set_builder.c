#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "fleet_world.h"
#include "targets/target_set_builder.h"

/* The target_set under test, and what it is made of. */
struct world {
    struct fleet_world fleet;
    struct config config;
    struct results found[4];
    const struct results *pointers[4];
    struct target_set_builder builder;
    struct target_set *target_set;
    struct shard shard;
    bool unused;
};

static void on_unused(struct target_set *target_set)
{
    struct world *world = target_set->owner;
    assert_false(world->unused);
    world->unused = true;
}

static bool is_reserved(struct slice name)
{
    return slice_is(name, "slab");
}

static void open_world(struct world *world, const char *text)
{
    static const struct config_rules rules = {.timeout_ns = 1500000000,
                                              .collectors = COMMAND_BIT(COMMAND_STATS),
                                              .target_label = "instance",
                                              .label_reserved = is_reserved};
    struct buffer error;
    *world = (struct world){0};
    buffer_init(&error, 4096);
    fleet_world_open(&world->fleet);
    if (config_read(&world->config, "test.yml", slice_of(text), &rules, &error) < 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    for (size_t n = 0; n < ARRAY_LEN(world->found); n++) {
        results_init(&world->found[n]);
        world->pointers[n] = &world->found[n];
    }
}

static void find(struct world *world, size_t source, const char *address, const struct results_label *labels,
                 size_t count)
{
    assert_true(results_add(&world->found[source], slice_of(address), labels, count));
}

/* In steps of so many. */
static void assemble(struct world *world, size_t step)
{
    struct target_set_builder_parts parts = {
        .fleet = world->fleet.fleet,
        .config = &world->config,
        .found = world->pointers,
        .target_label = "instance",
        .shard = world->shard,
        .label_reserved = is_reserved,
    };
    int result = target_set_builder_init(&world->builder, &parts, on_unused, world);
    for (unsigned turns = 0; result == 0; turns++) {
        assert_true(turns < 10000);
        result = target_set_builder_step(&world->builder, step);
    }
    assert_int_equal(result, 1);
    world->target_set = target_set_builder_take(&world->builder);
}

static void close_world(struct world *world)
{
    target_set_builder_deinit(&world->builder);
    target_set_release(world->target_set);
    assert_true(world->unused);
    while (!target_set_dismantle(world->target_set, 2)) continue;
    for (size_t n = 0; n < ARRAY_LEN(world->found); n++) results_deinit(&world->found[n]);
    config_deinit(&world->config);
    fleet_world_close(&world->fleet);
}

static void expect_target(const struct world *world, size_t n, const char *name, const char *labels)
{
    assert_true(n < world->target_set->targets.count);
    assert_string_equal(world->target_set->targets.items[n]->name, name);
    assert_string_equal(world->target_set->targets.items[n]->labels, labels);
}

static const char two_groups[] = "modules: {slow: {timeout: 3s, collectors: [items]}}\n"
                                 "groups:\n"
                                 "- {name: a, labels: {team: web}, targets: [127.0.0.1:1, \"[::1]:2\"]}\n"
                                 "- {name: b, module: slow, targets: [127.0.0.1:1]}\n";

static void test_groups(void **state)
{
    (void) state;
    for (size_t step = 1; step < 5; step++) {
        struct world world;
        open_world(&world, two_groups);
        assemble(&world, step);
        assert_int_equal(world.target_set->targets.count, 3);
        expect_target(&world, 0, "127.0.0.1:1", "instance=\"127.0.0.1:1\",team=\"web\"");
        expect_target(&world, 1, "[::1]:2", "instance=\"[::1]:2\",team=\"web\"");
        expect_target(&world, 2, "127.0.0.1:1", "instance=\"127.0.0.1:1\"");
        struct target *const *targets = world.target_set->targets.items;
        assert_ptr_equal(targets[0]->client, targets[2]->client);
        assert_int_equal(targets[0]->profile->timeout_ms, 1500);
        assert_int_equal(targets[2]->profile->timeout_ms, 3000);
        assert_int_equal(targets[0]->profile->commands, COMMAND_BIT(COMMAND_STATS));
        assert_int_equal(targets[2]->profile->commands,
                         COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_ITEMS));
        assert_string_equal(world.target_set->groups[targets[1]->group].name, "a");
        assert_string_equal(world.target_set->groups[targets[2]->group].module, "slow");
        close_world(&world);
    }
}

static const char sources[] = "groups:\n"
                              "- name: a\n"
                              "  targets: [127.0.0.1:1]\n"
                              "  labels: {zone: \"z-$meta_zone\", rack: \"$rack\", none: \"$meta_none\"}\n"
                              "  file_sd: [{files: [x.json]}, {files: [y.json]}]\n"
                              "- {name: b, file_sd: {files: [z.json]}}\n";

static void test_sources(void **state)
{
    static const struct results_label labels[] = {
        {"__meta_zone", "eu"}, {"rack", "7"}, {"job", "x\"y"}, {"empty", ""}};
    struct world world;
    (void) state;
    open_world(&world, sources);
    find(&world, 0, "127.0.0.1:2", labels, ARRAY_LEN(labels));
    find(&world, 1, "127.0.0.1:3", NULL, 0);
    find(&world, 2, "127.0.0.1:4", labels, ARRAY_LEN(labels));
    assemble(&world, 1);
    assert_int_equal(world.target_set->targets.count, 4);
    expect_target(&world, 0, "127.0.0.1:1", "instance=\"127.0.0.1:1\",zone=\"z-\"");
    expect_target(&world, 1, "127.0.0.1:2",
                  "instance=\"127.0.0.1:2\",zone=\"z-eu\",rack=\"7\",job=\"x\\\"y\"");
    expect_target(&world, 2, "127.0.0.1:3", "instance=\"127.0.0.1:3\",zone=\"z-\"");
    expect_target(&world, 3, "127.0.0.1:4", "instance=\"127.0.0.1:4\",rack=\"7\",job=\"x\\\"y\"");
    assert_int_equal(world.builder.duplicates.count, 0);
    close_world(&world);
}

/* Twice in one group, however it is written; and with the same labels in another. */
static void test_doubles(void **state)
{
    struct world world;
    (void) state;
    open_world(&world, "groups:\n"
                       "- {name: a, targets: [127.0.0.1], file_sd: {files: [x.json]}}\n"
                       "- {name: b, targets: [127.0.0.1, 127.0.0.2]}\n");
    find(&world, 0, "127.0.0.1:11211", NULL, 0);
    find(&world, 0, "127.0.0.3:1", NULL, 0);
    find(&world, 0, "127.0.0.3:1", NULL, 0);
    assemble(&world, 3);
    assert_int_equal(world.target_set->targets.count, 3);
    expect_target(&world, 0, "127.0.0.1", "instance=\"127.0.0.1\"");
    expect_target(&world, 1, "127.0.0.3:1", "instance=\"127.0.0.3:1\"");
    expect_target(&world, 2, "127.0.0.2", "instance=\"127.0.0.2\"");
    assert_int_equal(world.builder.duplicates.count, 3);
    assert_string_equal(world.builder.duplicates.example, "127.0.0.1");
    close_world(&world);
}

/* A duplicate is asked in another way than the target that stays: nothing of it is needed any more. */
static void test_doubles_of_another_module(void **state)
{
    struct world world;
    (void) state;
    open_world(&world, "modules: {slow: {timeout: 3s}}\n"
                       "groups:\n"
                       "- {name: a, targets: [127.0.0.1]}\n"
                       "- {name: b, module: slow, targets: [127.0.0.1, 127.0.0.2]}\n");
    assemble(&world, 1);
    assert_int_equal(world.target_set->targets.count, 2);
    expect_target(&world, 1, "127.0.0.2", "instance=\"127.0.0.2\"");
    assert_int_equal(world.builder.duplicates.count, 1);
    close_world(&world);
}

static void test_found_labels_that_metrics_use(void **state)
{
    static const struct results_label slab = {"slab", "1"}, instance = {"instance", "me"};
    struct world world;
    (void) state;
    open_world(&world, "groups: [{name: a, file_sd: {files: [x.json]}}]\n");
    find(&world, 0, "127.0.0.1:1", &slab, 1);
    find(&world, 0, "127.0.0.1:2", &instance, 1);
    find(&world, 0, "127.0.0.1:3", NULL, 0);
    assemble(&world, 100);
    assert_int_equal(world.target_set->targets.count, 1);
    assert_int_equal(world.builder.refused.count, 2);
    close_world(&world);
}

/* Each reason has an example of its own. */
static void test_examples(void **state)
{
    static const struct results_label slab = {"slab", "1"};
    struct world world;
    (void) state;
    open_world(&world, "groups: [{name: a, targets: [127.0.0.1:1], file_sd: {files: [x.json]}}]\n");
    find(&world, 0, "127.0.0.1:1", NULL, 0);
    find(&world, 0, "127.0.0.1:2", &slab, 1);
    assemble(&world, 100);
    assert_string_equal(world.builder.duplicates.example, "127.0.0.1:1");
    assert_string_equal(world.builder.refused.example, "127.0.0.1:2");
    close_world(&world);
}

/* Each sample would carry them. */
static void test_long_labels(void **state)
{
    static char long_value[16 * 1024], half_value[8 * 1024];
    struct results_label labels[] = {{"a", long_value}, {"b", half_value}};
    struct world world;
    (void) state;
    memset(long_value, 'x', sizeof(long_value) - 1);
    memset(half_value, 'x', sizeof(half_value) - 1);
    open_world(&world, "groups:\n"
                       "- {name: a, file_sd: {files: [x.json]}}\n"
                       "- {name: b, labels: {c: \"$b$b\"}, file_sd: {files: [x.json]}}\n");
    find(&world, 0, "127.0.0.1:1", labels, 1);
    find(&world, 0, "127.0.0.1:2", labels + 1, 1);
    find(&world, 1, "127.0.0.1:3", labels + 1, 1);
    find(&world, 1, "127.0.0.1:4", NULL, 0);
    assemble(&world, 100);
    assert_int_equal(world.target_set->targets.count, 2);
    assert_string_equal(world.target_set->targets.items[0]->name, "127.0.0.1:2");
    expect_target(&world, 1, "127.0.0.1:4", "instance=\"127.0.0.1:4\"");
    assert_int_equal(world.builder.refused.count, 2);
    close_world(&world);
}

static unsigned failing_call; /* counted down; 0 for none */

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

void *__wrap_realloc(void *memory, size_t size)
{
    if (failing_call && --failing_call == 0) return NULL;
    return __real_realloc(memory, size);
}

/* False when there was memory enough, before the call that was to fail. */
static bool building_fails(unsigned call, struct shard shard)
{
    struct world world;
    open_world(&world, two_groups);
    struct target_set_builder_parts parts = {world.fleet.fleet, &world.config, world.pointers,
                                             "instance",        shard,         is_reserved};
    failing_call = call;
    int result = target_set_builder_init(&world.builder, &parts, on_unused, &world);
    while (result == 0) result = target_set_builder_step(&world.builder, 1);
    bool failed = failing_call == 0;
    failing_call = 0;
    assert_int_equal(result, failed ? UV_ENOMEM : 1);
    assert_int_equal(world.builder.refused.count, 0);
    world.target_set = target_set_hold(world.builder.target_set);
    close_world(&world);
    return failed;
}

/* A target is never lost for lack of memory, as refused or as that of another shard: the target set fails. */
static void test_without_memory(void **state)
{
    (void) state;
    for (unsigned count = 1; count <= 3; count += 2) {
        unsigned call = 1;
        while (building_fails(call, (struct shard){0, count})) call++;
        assert_true(call > 4);
    }
}

/* Every target is in one of the shards. */
static void test_shards(void **state)
{
    size_t sum = 0;
    (void) state;
    for (unsigned index = 0; index < 3; index++) {
        struct world world;
        open_world(&world, two_groups);
        world.shard = (struct shard){index, 3};
        assemble(&world, 2);
        sum += world.target_set->targets.count;
        assert_true(world.target_set->targets.count < 3);
        assert_int_equal(world.target_set->targets.count + world.target_set->elsewhere, 3);
        close_world(&world);
    }
    assert_int_equal(sum, 3);
}

/* What was not taken is taken apart by its owner. */
static void test_given_up(void **state)
{
    struct world world;
    struct target_set_builder_parts parts;
    (void) state;
    open_world(&world, two_groups);
    parts = (struct target_set_builder_parts){world.fleet.fleet, &world.config, world.pointers,
                                              "instance",        {0, 1},        is_reserved};
    assert_int_equal(target_set_builder_init(&world.builder, &parts, on_unused, &world), 0);
    assert_int_equal(target_set_builder_step(&world.builder, 1), 0);
    world.target_set = target_set_hold(world.builder.target_set);
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_sources),
        cmocka_unit_test(test_doubles),
        cmocka_unit_test(test_doubles_of_another_module),
        cmocka_unit_test(test_found_labels_that_metrics_use),
        cmocka_unit_test(test_shards),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_long_labels),
        cmocka_unit_test(test_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
