/* One census against a scripted server: class by class, within its limits, and not where it could do harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "watch_world.h"

#define ITEM(key, class) "key=" key " exp=-1 la=1700000000 cas=5 fetch=no cls=" class " size=65\n"

struct census_world {
    struct watch_world world;
    struct census_config config;
    struct census_report report;
    struct census *census;
    const char *version, *dump; /* the dump of each class, and what ends it */
    unsigned busy;              /* so many dumps are answered with BUSY first */
    char heard[1024];
    bool done;
    enum census_result result;
    char why[256];
    char stats[256];
};

static const char *answer(struct fake_connection *connection, const char *request)
{
    struct watch_world *base = connection->server->context;
    struct census_world *world = (struct census_world *) (void *) base;
    if (strcmp(request, "stats\r\n") == 0) {
        snprintf(world->stats, sizeof(world->stats), "STAT version %s\r\nSTAT time 1700000100\r\nEND\r\n",
                 world->version);
        return world->stats;
    }
    if (strcmp(request, "stats slabs\r\n") == 0)
        return "STAT 1:chunk_size 96\r\nSTAT 1:used_chunks 2\r\nSTAT 2:used_chunks 0\r\n"
               "STAT 5:used_chunks 1\r\nSTAT 99:used_chunks 1\r\nSTAT active_slabs 3\r\nEND\r\n";
    strncat(world->heard, request, sizeof(world->heard) - strlen(world->heard) - 1);
    if (world->busy) {
        world->busy--;
        return "BUSY currently processing crawler request\r\n";
    }
    return world->dump;
}

static void on_done(void *context, enum census_result result, const char *why)
{
    struct census_world *world = context;
    assert_false(world->done);
    world->done = true;
    world->result = result;
    snprintf(world->why, sizeof(world->why), "%s", why);
}

static int setup(void **state)
{
    struct census_world *world = calloc(1, sizeof(*world));
    watch_world_open(&world->world);
    world->world.server.answer = answer;
    census_config_init(&world->config);
    world->version = "1.6.44";
    world->dump = "OK\r\n" ITEM("a%3A1", "1") ITEM("b%3A1", "1") "END\r\n";
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct census_world *world = *state;
    census_free(world->census);
    census_report_clear(&world->report);
    watch_world_close(&world->world);
    free(world);
    return 0;
}

static void start(struct census_world *world)
{
    struct census_plan plan = {watch_world_feed(&world->world), &world->config, &world->world.secret,
                               &world->report};
    assert_int_equal(census_start(&world->census, &plan, on_done, world), 0);
}

static enum census_result run(struct census_world *world)
{
    start(world);
    loop_run_until(&world->world.loop, &world->done);
    return world->result;
}

static void dumps_class_by_class(void **state)
{
    struct census_world *world = *state;
    assert_int_equal(run(world), CENSUS_COMPLETE);
    assert_string_equal(world->heard, "lru_crawler metadump 1\r\nlru_crawler metadump 5\r\n");
    assert_int_equal(world->report.count, 3);
    assert_true(world->report.complete);
    assert_int_equal(world->report.prefixes[1].items, 2);
    assert_true(census_view(&world->report.prefixes[1], CENSUS_IDLE).sum >= 200);
}

static void leaves_old_servers_alone(void **state)
{
    struct census_world *world = *state;
    world->version = "1.6.43";
    assert_int_equal(run(world), CENSUS_UNSUPPORTED);
    assert_string_equal(world->heard, "");
    assert_non_null(strstr(world->why, "memcached 1.6.43 may crash"));
    assert_int_equal(world->report.count, 0);
}

static void asks_trusted_versions(void **state)
{
    struct census_world *world = *state;
    world->version = "1.6.18";
    world->config.trusted[world->config.trusted_count++] = (struct server_version){{1, 6, 18}};
    assert_int_equal(run(world), CENSUS_COMPLETE);
}

static void ends_at_its_items(void **state)
{
    struct census_world *world = *state;
    world->config.max_items = 3;
    assert_int_equal(run(world), CENSUS_LIMITED);
    assert_false(world->report.complete);
    assert_int_equal(world->report.prefixes[1].items + world->report.prefixes[2].items, 3);
}

static void ends_at_its_time(void **state)
{
    struct census_world *world = *state;
    world->config.time_ns = 1000000000;
    world->dump = ITEM("a%3A1", "1");
    assert_int_equal(run(world), CENSUS_LIMITED);
    assert_int_equal(world->report.prefixes[1].items, 1);
}

static void waits_for_a_busy_crawler(void **state)
{
    struct census_world *world = *state;
    world->busy = 1;
    assert_int_equal(run(world), CENSUS_COMPLETE);
    assert_string_equal(world->heard,
                        "lru_crawler metadump 1\r\nlru_crawler metadump 1\r\nlru_crawler metadump 5\r\n");
}

static void tells_a_refusal(void **state)
{
    struct census_world *world = *state;
    world->dump = "ERROR metadump not allowed\r\n";
    assert_int_equal(run(world), CENSUS_REFUSED);
    assert_string_equal(world->why, "the server said: ERROR metadump not allowed");
}

static void tells_a_failure(void **state)
{
    struct census_world *world = *state;
    world->world.address.port = 1;
    assert_int_equal(run(world), CENSUS_FAILED);
}

/* Lines that are none are dropped and counted, and a flood is not looked at as a whole. */
static void drops_what_is_too_much(void **state)
{
    struct census_world *world = *state;
    char *flood = malloc(100 * 60000), *end = stpcpy(flood, "OK\r\nwhat is this\r\nkey=%zz exp=1\r\n");
    for (unsigned n = 0; n < 60000; n++) end = stpcpy(end, ITEM("a%3A1", "1"));
    strcpy(end, "END\r\n");
    world->dump = flood;
    assert_int_equal(run(world), CENSUS_COMPLETE);
    assert_true(world->report.dropped >= 4);
    assert_int_equal(world->report.dropped + world->report.prefixes[1].items, 120004);
    free(flood);
}

static void is_freed_at_every_turn(void **state)
{
    struct census_world *world = *state;
    for (unsigned turns = 0; turns < 14; turns++) {
        start(world);
        loop_turn(&world->world.loop, turns);
        census_free(world->census);
        world->census = NULL;
        world->done = false;
        loop_turn(&world->world.loop, 4);
    }
}

static void names_every_result(void **state)
{
    (void) state;
    for (enum census_result result = 0; result < CENSUS_RESULT_COUNT; result++)
        assert_non_null(census_result_name(result));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dumps_class_by_class, setup, teardown),
        cmocka_unit_test_setup_teardown(leaves_old_servers_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(asks_trusted_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_at_its_items, setup, teardown),
        cmocka_unit_test_setup_teardown(ends_at_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(waits_for_a_busy_crawler, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_refusal, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(drops_what_is_too_much, setup, teardown),
        cmocka_unit_test_setup_teardown(is_freed_at_every_turn, setup, teardown),
        cmocka_unit_test(names_every_result),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
