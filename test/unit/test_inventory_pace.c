/* How often sources that change make another roster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "inventory_world.h"

#include <sys/stat.h>
#include <unistd.h>

#define SOURCES 12

struct world {
    struct inventory_world inventory;
    char folder[64];
    struct roster *last; /* held, so that no other one takes its place in memory */
    unsigned rosters;
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
    *world = (struct world){.folder = "/tmp/test_inventory_pace_XXXXXX"};
    assert_non_null(mkdtemp(world->folder));
    inventory_world_open(&world->inventory, (const char *const[]){"--memcached.address=", NULL});
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
    inventory_world_set(&world->inventory, text.data);
    buffer_deinit(&text);
    world->last = roster_hold(inventory_roster(world->inventory.inventory));
}

static void close_world(struct world *world)
{
    roster_release(world->last);
    inventory_world_close(&world->inventory);
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
    struct roster *roster;
    uv_run(&world->inventory.fleet.loop, UV_RUN_ONCE);
    roster = inventory_roster(world->inventory.inventory);
    if (roster == world->last) return;
    roster_release(world->last);
    world->last = roster_hold(roster);
    world->rosters++;
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

/* Sources that change at about the same time make a roster at once and another a moment later, not one each.
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
    assert_true(world.rosters <= 2 + (uv_hrtime() / 1000000 - begun_ms) / 200);
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
        uv_run(&world.inventory.fleet.loop, UV_RUN_NOWAIT);
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
