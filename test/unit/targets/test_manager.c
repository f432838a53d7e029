#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "fleet_world.h"
#include "parsed_options.h"
#include "targets/manager.h"
#include "targets/target_set_builder.h"

#include <sys/stat.h>
#include <unistd.h>

/* --- Memory that runs out: how many of the next calls of each are to fail --- */

static unsigned failing_inits, failing_steps;

int __real_target_set_builder_init(struct target_set_builder *builder,
                                   const struct target_set_builder_parts *parts,
                                   void (*on_unused)(struct target_set *target_set), void *owner);
int __wrap_target_set_builder_init(struct target_set_builder *builder,
                                   const struct target_set_builder_parts *parts,
                                   void (*on_unused)(struct target_set *target_set), void *owner);
int __real_target_set_builder_step(struct target_set_builder *builder, size_t count);
int __wrap_target_set_builder_step(struct target_set_builder *builder, size_t count);

int __wrap_target_set_builder_init(struct target_set_builder *builder,
                                   const struct target_set_builder_parts *parts,
                                   void (*on_unused)(struct target_set *target_set), void *owner)
{
    int result = __real_target_set_builder_init(builder, parts, on_unused, owner);
    return failing_inits && failing_inits-- ? UV_ENOMEM : result;
}

int __wrap_target_set_builder_step(struct target_set_builder *builder, size_t count)
{
    return failing_steps && failing_steps-- ? UV_ENOMEM : __real_target_set_builder_step(builder, count);
}

/* --- The world --- */

struct world {
    struct fleet_world fleet;
    struct outcome flags;
    struct manager *manager;
    char folder[64], found[96]; /* found is folder/x.json, which is there when a test has written it */
    unsigned set, target_sets;  /* calls of on_set and on_target_set */
    int status;                 /* of the last on_set */
    bool closed;
};

static void on_target_set(void *context, const struct target_set *target_set)
{
    struct world *world = context;
    assert_ptr_equal(target_set, manager_target_set(world->manager));
    world->target_sets++;
}

static void on_set(void *context, int status, const char *error)
{
    struct world *world = context;
    world->set++;
    world->status = status;
    (void) error;
}

static void open_world(struct world *world)
{
    *world = (struct world){0};
    fleet_world_open(&world->fleet);
    parse(&world->flags, ARGUMENTS("--memcached.address="), NO_ENVIRONMENT);
    assert_int_equal(world->flags.code, OPTIONS_RUN);
    strcpy(world->folder, "/tmp/test_manager_XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    snprintf(world->found, sizeof(world->found), "%s/x.json", world->folder);
    struct manager_context context = {
        .loop = &world->fleet.loop,
        .flags = &world->flags.options,
        .fleet = world->fleet.fleet,
        .resolver = world->fleet.resolver,
        .on_target_set = on_target_set,
        .on_target_set_context = world,
    };
    assert_int_equal(manager_new(&world->manager, &context), 0);
}

static void close_world(struct world *world)
{
    manager_close(world->manager, world_set_true, &world->closed);
    assert_false(world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    release(&world->flags);
    fleet_world_close(&world->fleet);
    unlink(world->found);
    assert_int_equal(rmdir(world->folder), 0);
}

static struct config *read_config(struct world *world, const char *text)
{
    struct config_rules rules = settings_rules(&world->flags.options);
    struct config *config = calloc(1, sizeof(*config));
    struct buffer error;
    char name[96];
    assert_non_null(config);
    buffer_init(&error, 4096);
    snprintf(name, sizeof(name), "%s/test.yml", world->folder);
    if (config_read(config, name, slice_of(text), &rules, &error) < 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    return config;
}

static void set(struct world *world, const char *text)
{
    struct buffer error;
    unsigned before = world->set;
    buffer_init(&error, 4096);
    assert_int_equal(manager_set(world->manager, read_config(world, text), on_set, world, &error), 0);
    assert_int_equal(world->set, before);
    buffer_deinit(&error);
}

/* Until it is in force. */
static void set_and_wait(struct world *world, const char *text)
{
    unsigned before = world->set;
    set(world, text);
    loop_run_until_count(&world->fleet.loop, &world->set, before + 1);
    assert_int_equal(world->status, 0);
}

static void write_found(const struct world *world, const char *text)
{
    char other[128];
    snprintf(other, sizeof(other), "%s~", world->found);
    FILE *file = fopen(other, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(other, world->found), 0);
}

static const struct target_list *targets(const struct world *world)
{
    return &manager_target_set(world->manager)->targets;
}

static const char one[] = "groups: [{name: a, targets: [127.0.0.1:1, 127.0.0.1:2]}]\n";
static const char other[] = "target_label: server\n"
                            "groups: [{name: b, targets: [127.0.0.1:2, 127.0.0.1:3]}]\n";

static const char with_source[] = "groups:\n"
                                  "- {name: a, targets: [127.0.0.1:1], file_sd: {files: [x.json]}}\n";

static void test_before_the_first(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    const struct generation *generation = manager_generation(world.manager);
    assert_false(manager_is_ready(world.manager));
    assert_int_equal(targets(&world)->count, 0);
    assert_null(generation->config->file);
    assert_string_equal(generation->settings.options.target_label, "instance");
    assert_ptr_equal(generation_policy(generation), policy_none());
    assert_int_equal(config_timeout_ms(generation_module(generation, SLICE("default"))), 1000);
    assert_ptr_equal(generation_module(generation, SLICE("")),
                     generation_module(generation, SLICE("default")));
    assert_null(generation_module(generation, SLICE("other")));
    assert_int_equal(generation->provider_count, 0);
    close_world(&world);
}

/* A server that stays keeps its client, in one step with all that changes. */
static void test_another_configuration(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    set_and_wait(&world, one);
    assert_int_equal(world.target_sets, 1);
    assert_int_equal(targets(&world)->count, 2);
    assert_true(manager_target_set(world.manager)->with_labels);
    assert_string_equal(targets(&world)->items[0]->labels, "instance=\"127.0.0.1:1\"");
    const struct client *kept = targets(&world)->items[1]->client;
    set_and_wait(&world, other);
    assert_int_equal(world.target_sets, 2);
    assert_int_equal(targets(&world)->count, 2);
    assert_ptr_equal(targets(&world)->items[0]->client, kept);
    assert_string_equal(targets(&world)->items[0]->labels, "server=\"127.0.0.1:2\"");
    assert_string_equal(manager_generation(world.manager)->config->groups[0].name, "b");
    close_world(&world);
}

/* Who holds the old target_set goes on with it; its servers go when it is let go. */
static void test_held_target_set(void **state)
{
    struct world world;
    struct address gone = world_address("127.0.0.1:1"), stays = world_address("127.0.0.1:2");
    (void) state;
    open_world(&world);
    set_and_wait(&world, one);
    struct target_set *held = target_set_hold(manager_target_set(world.manager));
    set_and_wait(&world, other);
    assert_string_equal(held->targets.items[0]->name, "127.0.0.1:1");
    assert_true(fleet_has(world.fleet.fleet, &gone));
    target_set_release(held);
    loop_turn(&world.fleet.loop, 3);
    assert_false(fleet_has(world.fleet.fleet, &gone));
    assert_true(fleet_has(world.fleet.fleet, &stays));
    close_world(&world);
}

/* What cannot be put in force changes nothing. */
static void test_refused(void **state)
{
    struct world world;
    struct buffer error;
    (void) state;
    open_world(&world);
    set_and_wait(&world, one);
    struct config *config = read_config(
        &world,
        "groups: [{name: c, targets: [127.0.0.1:4]}]\n"
        "outputs: {push: {url: \"http://127.0.0.1:1\", password_file: /dev/null/nothing, username: x}}\n");
    buffer_init(&error, 4096);
    assert_true(manager_set(world.manager, config, on_set, &world, &error) < 0);
    assert_true(error.len > 0);
    buffer_deinit(&error);
    loop_turn(&world.fleet.loop, 3);
    assert_int_equal(world.set, 1);
    assert_string_equal(manager_generation(world.manager)->config->groups[0].name, "a");
    assert_int_equal(targets(&world)->count, 2);
    assert_int_equal(world.target_sets, 1);
    /* Nothing of it is left: another one can be set. */
    set_and_wait(&world, other);
    close_world(&world);
}

/* It still comes into force. */
static void test_forgotten(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    set(&world, one);
    manager_forget(world.manager);
    loop_run_until_count(&world.fleet.loop, &world.target_sets, 1);
    loop_turn(&world.fleet.loop, 3);
    assert_true(manager_is_ready(world.manager));
    assert_int_equal(world.set, 0);
    close_world(&world);
}

static const char with_source_and_more[] =
    "groups:\n"
    "- {name: a, targets: [127.0.0.1:1, 127.0.0.1:9], file_sd: {files: [x.json]}}\n";

/* It is in force when its source has answered, and follows it; another configuration keeps the source. */
static void test_source(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    write_found(&world, "[{\"targets\": [\"127.0.0.1:5\"]}]");
    set_and_wait(&world, with_source);
    world.target_sets = 1;
    assert_int_equal(targets(&world)->count, 2);
    assert_int_equal(manager_generation(world.manager)->provider_count, 1);
    struct generation_source source = generation_source(manager_generation(world.manager), 0);
    assert_string_equal(source.group, "a");
    assert_int_equal(source.state->targets, 1);

    write_found(&world, "[{\"targets\": [\"127.0.0.1:5\", \"127.0.0.1:6\", \"127.0.0.1:1\"]}]");
    loop_run_until_count(&world.fleet.loop, &world.target_sets, 2);
    assert_int_equal(targets(&world)->count, 3);
    assert_int_equal(manager_counts(world.manager).duplicates, 1);

    set_and_wait(&world, with_source_and_more);
    assert_int_equal(targets(&world)->count, 4);
    assert_ptr_equal(generation_source(manager_generation(world.manager), 0).state, source.state);
    set_and_wait(&world, one);
    assert_int_equal(manager_generation(world.manager)->provider_count, 0);
    close_world(&world);
}

/* A change that could not be followed for lack of memory is followed when there is memory again. */
static void test_change_without_memory(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    write_found(&world, "[{\"targets\": [\"127.0.0.1:5\"]}]");
    set_and_wait(&world, with_source);
    unsigned *const failures[] = {&failing_inits, &failing_steps};
    for (unsigned n = 0; n < ARRAY_LEN(failures); n++) {
        world.target_sets = 0;
        *failures[n] = 2;
        write_found(&world, n ? "[]" : "[{\"targets\": [\"127.0.0.1:5\", \"127.0.0.1:6\"]}]");
        loop_run_until_count(&world.fleet.loop, &world.target_sets, 1);
        assert_int_equal(*failures[n], 0);
        assert_int_equal(targets(&world)->count, n ? 1 : 3);
    }
    close_world(&world);
}

/* The configuration in force stays, whoever set the other one is told, and a later one is taken. */
static void test_set_without_memory(void **state)
{
    struct world world;
    struct buffer error;
    (void) state;
    open_world(&world);
    set_and_wait(&world, one);
    failing_inits = 1;
    buffer_init(&error, 4096);
    assert_int_equal(manager_set(world.manager, read_config(&world, other), on_set, &world, &error),
                     UV_ENOMEM);
    buffer_deinit(&error);
    assert_int_equal(world.set, 1);
    failing_steps = 1;
    set(&world, other);
    loop_run_until_count(&world.fleet.loop, &world.set, 2);
    assert_int_equal(world.status, UV_ENOMEM);
    assert_string_equal(manager_generation(world.manager)->config->groups[0].name, "a");
    assert_string_equal(targets(&world)->items[0]->name, "127.0.0.1:1");
    set_and_wait(&world, other);
    assert_string_equal(targets(&world)->items[1]->name, "127.0.0.1:3");
    close_world(&world);
}

/* The first configuration waits for a source that is slow; its other targets do not. */
static void test_slow_source_at_the_start(void **state)
{
    struct world world;
    char text[256];
    (void) state;
    open_world(&world);
    world.fleet.servers[0].reply = NULL;
    snprintf(text, sizeof(text),
             "groups:\n"
             "- {name: a, targets: [127.0.0.1:1], file_sd: {files: [x.json]},\n"
             "   elasticache: {endpoint: \"127.0.0.1:%d\"}}\n",
             world.fleet.servers[0].port);
    write_found(&world, "[{\"targets\": [\"127.0.0.1:5\"]}]");
    set(&world, text);
    loop_run_until_count(&world.fleet.loop, &world.target_sets, 1);
    assert_int_equal(targets(&world)->count, 1);
    loop_run_until_count(&world.fleet.loop, &world.target_sets, 2);
    assert_int_equal(targets(&world)->count, 2);
    assert_false(manager_is_ready(world.manager));
    assert_int_equal(world.set, 0);
    close_world(&world);
    assert_int_equal(world.set, 0);
}

/* At every moment of its way. */
static void test_close_at_any_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct world world;
        open_world(&world);
        write_found(&world, "[{\"targets\": [\"127.0.0.1:5\"]}]");
        if (turns % 2) set_and_wait(&world, one);
        set(&world, with_source);
        loop_turn(&world.fleet.loop, turns);
        unsigned before = world.set;
        close_world(&world);
        assert_int_equal(world.set, before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_before_the_first),
        cmocka_unit_test(test_another_configuration),
        cmocka_unit_test(test_held_target_set),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_forgotten),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_change_without_memory),
        cmocka_unit_test(test_set_without_memory),
        cmocka_unit_test(test_slow_source_at_the_start),
        cmocka_unit_test(test_close_at_any_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
