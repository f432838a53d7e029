/* How often sources that change make another target_set. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "manager_world.h"

#include <sys/stat.h>
#include <unistd.h>

#define SOURCES 12

struct world {
    struct manager_world manager;
    char folder[64];
    struct target_set *last; /* held, so that no other one takes its place in memory */
    unsigned target_sets;
};

/* Each source has a folder of its own, so that only its own change wakes it. */
static void write_source(const struct world *world, unsigned n, unsigned port)
{
    char name[128];
    snprintf(name, sizeof(name), "%s/%u.d/x.json", world->folder, n);
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    assert_true(fprintf(file, "[{\"targets\": [\"127.0.0.1:%u\"]}]", port) > 0);
    assert_int_equal(fclose(file), 0);
}

static void open_world(struct world *world)
{
    struct buffer text;
    *world = (struct world){.folder = "/tmp/test_manager_pace_XXXXXX"};
    assert_non_null(mkdtemp(world->folder));
    manager_world_open(&world->manager, (const char *const[]){"--memcached.address=", NULL});
    buffer_init(&text, 4096);
    buffer_append_string(&text, "groups:\n");
    for (unsigned n = 0; n < SOURCES; n++) {
        char folder[96];
        snprintf(folder, sizeof(folder), "%s/%u.d", world->folder, n);
        assert_int_equal(mkdir(folder, 0700), 0);
        write_source(world, n, 1 + n);
        buffer_printf(&text, "- {name: g%u, file_sd: {files: ['%s/*.json']}}\n", n, folder);
    }
    buffer_append_char(&text, '\0');
    assert_false(text.failed);
    manager_world_set(&world->manager, text.data);
    buffer_deinit(&text);
    world->last = target_set_hold(manager_target_set(world->manager.manager));
}

static void close_world(struct world *world)
{
    target_set_release(world->last);
    manager_world_close(&world->manager);
    for (unsigned n = 0; n < SOURCES; n++) {
        char name[128];
        snprintf(name, sizeof(name), "%s/%u.d/x.json", world->folder, n);
        assert_int_equal(unlink(name), 0);
        *strrchr(name, '/') = '\0';
        assert_int_equal(rmdir(name), 0);
    }
    assert_int_equal(rmdir(world->folder), 0);
}

/* A turn of the loop. */
static void look(struct world *world)
{
    struct target_set *target_set;
    uv_run(&world->manager.fleet.loop, UV_RUN_ONCE);
    target_set = manager_target_set(world->manager.manager);
    if (target_set == world->last) return;
    target_set_release(world->last);
    world->last = target_set_hold(target_set);
    world->target_sets++;
}

/* How many of the targets in force have this port or a later one. */
static unsigned count_from(const struct world *world, unsigned port)
{
    const struct target_list *targets = &world->last->targets;
    unsigned count = 0;
    assert_int_equal(targets->count, SOURCES);
    for (size_t n = 0; n < targets->count; n++) count += targets->items[n]->client->address.port >= port;
    return count;
}

/*
 * Sources that change at about the same time make a target_set at once and another a moment later, not one
 * each.
 */
static void test_many_changes(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    uint64_t begun_ms = uv_hrtime() / 1000000;
    for (unsigned n = 0; n < SOURCES; n++) write_source(&world, n, 100 + n);
    while (count_from(&world, 100) < SOURCES) {
        look(&world);
        assert_true(uv_hrtime() / 1000000 - begun_ms < 10000);
    }
    assert_true(world.target_sets <= 2 + (uv_hrtime() / 1000000 - begun_ms) / 200);
    close_world(&world);
}

/* The last change is never forgotten. */
static void test_changes_in_a_row(void **state)
{
    struct world world;
    (void) state;
    open_world(&world);
    uint64_t begun_ms = uv_hrtime() / 1000000;
    for (unsigned n = 0; n < 200; n++) {
        write_source(&world, n % SOURCES, 100 + n);
        uv_run(&world.manager.fleet.loop, UV_RUN_NOWAIT);
        look(&world);
    }
    while (count_from(&world, 300 - SOURCES) < SOURCES) {
        look(&world);
        assert_true(uv_hrtime() / 1000000 - begun_ms < 20000);
    }
    close_world(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_many_changes),
                                       cmocka_unit_test(test_changes_in_a_row)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
