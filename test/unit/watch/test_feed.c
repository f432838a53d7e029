/* Lines over a connection, however they are cut, and every way in which the connection ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "watch_world.h"

struct feed_world {
    struct watch_world world;
    struct feed *feed;
    bool opened, ended;
    unsigned lines, free_at; /* free the feed at this line; 0: never */
    unsigned empty;
    char last[256], why[256];
    char *text;
};

static const char *answer(struct fake_connection *connection, const char *request)
{
    struct watch_world *base = connection->server->context;
    struct feed_world *world = container_of(base, struct feed_world, world);
    (void) request;
    return world->text;
}

static void on_open(void *context)
{
    struct feed_world *world = context;
    world->opened = true;
    assert_int_equal(feed_send(world->feed, "go\r\n"), 0);
}

static void on_line(void *context, struct slice line)
{
    struct feed_world *world = context;
    assert_non_null(world->feed);
    world->lines++;
    world->empty += line.len == 0;
    snprintf(world->last, sizeof(world->last), "%.*s", SLICE_ARG(line));
    if (world->lines != world->free_at) return;
    feed_free(world->feed);
    world->feed = NULL;
}

static void on_end(void *context, const char *why)
{
    struct feed_world *world = context;
    world->ended = true;
    snprintf(world->why, sizeof(world->why), "%s", why);
}

static const struct feed_events events = {on_open, on_line, on_end};

static int setup(void **state)
{
    struct feed_world *world = calloc(1, sizeof(*world));
    watch_world_open(&world->world);
    world->world.server.answer = answer;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct feed_world *world = *state;
    feed_free(world->feed);
    watch_world_close(&world->world);
    free(world);
    return 0;
}

static void start(struct feed_world *world)
{
    struct feed_plan plan = watch_world_feed(&world->world);
    assert_int_equal(feed_start(&world->feed, &plan, &events, world), 0);
}

static void passes_lines_on(void **state)
{
    struct feed_world *world = *state;
    world->text = (char *) "OK\r\na\n\nlast\r\nrest";
    start(world);
    loop_run_until_count(&world->world.loop, &world->lines, 4);
    loop_turn(&world->world.loop, 5);
    assert_int_equal(world->lines, 4);
    assert_int_equal(world->empty, 1);
    assert_string_equal(world->last, "last");
    assert_false(world->ended);
}

/* A line without end costs no memory, and the lines behind it arrive. */
static void limits_a_line(void **state)
{
    struct feed_world *world = *state;
    size_t len = 300000;
    world->text = malloc(len + 16);
    memset(world->text, 'x', len);
    strcpy(world->text + len, "\nnext\n");
    start(world);
    loop_run_until_count(&world->world.loop, &world->lines, 2);
    assert_int_equal(world->lines, 2);
    assert_int_equal(world->empty, 1);
    assert_string_equal(world->last, "next");
    free(world->text);
}

static void is_freed_inside_a_line(void **state)
{
    struct feed_world *world = *state;
    world->text = (char *) "a\nb\nc\n";
    world->free_at = 2;
    start(world);
    loop_run_until_count(&world->world.loop, &world->lines, 2);
    loop_turn(&world->world.loop, 5);
    assert_int_equal(world->lines, 2);
}

static void tells_the_end(void **state)
{
    struct feed_world *world = *state;
    world->text = (char *) "a\n";
    start(world);
    loop_run_until_count(&world->world.loop, &world->lines, 1);
    fake_server_drop(&world->world.server);
    loop_run_until(&world->world.loop, &world->ended);
    assert_string_equal(world->why, "the server ended the connection");
    assert_int_equal(feed_send(world->feed, "x\r\n"), UV_EINVAL);
}

static void tells_a_refused_connection(void **state)
{
    struct feed_world *world = *state;
    world->world.address.port = 1;
    start(world);
    loop_run_until(&world->world.loop, &world->ended);
    assert_string_equal(world->why, "connection refused");
    assert_false(world->opened);
}

/* Freed at every turn: nothing is called afterwards, nothing is left. */
static void is_freed_at_every_turn(void **state)
{
    struct feed_world *world = *state;
    world->text = (char *) "a\nb\n";
    for (unsigned turns = 0; turns < 8; turns++) {
        start(world);
        loop_turn(&world->world.loop, turns);
        feed_free(world->feed);
        world->feed = NULL;
        loop_turn(&world->world.loop, 3);
    }
}

static void refuses_a_command_that_is_too_long(void **state)
{
    struct feed_world *world = *state;
    char command[2 * FEED_COMMAND_MAX];
    memset(command, 'x', sizeof(command));
    command[sizeof(command) - 1] = '\0';
    world->text = (char *) "a\n";
    start(world);
    assert_int_equal(feed_send(world->feed, "x"), UV_EINVAL);
    loop_run_until_count(&world->world.loop, &world->lines, 1);
    assert_int_equal(feed_send(world->feed, command), UV_EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(passes_lines_on, setup, teardown),
        cmocka_unit_test_setup_teardown(limits_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(is_freed_inside_a_line, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_the_end, setup, teardown),
        cmocka_unit_test_setup_teardown(tells_a_refused_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(is_freed_at_every_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_command_that_is_too_long, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
