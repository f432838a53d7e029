/* A request, the gather that answers it, and what becomes of one when the other ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "web_world.h"

#define CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

static int setup(void **state)
{
    *state = web_world_open((const char *const[]){WEB_WORLD_STATS_ALONE, "--web.max-requests=2", NULL});
    return 0;
}

static int teardown(void **state)
{
    web_world_close(*state);
    return 0;
}

/* Asks for servers of the world by their numbers, for one that is down if `dead`, and with what follows. */
static void ask(struct web_world *world, unsigned servers, bool dead, const char *rest)
{
    char line[512], *at = line + sprintf(line, "GET /scrape?");
    for (unsigned n = 0; n < servers; n++)
        at += sprintf(at, "target=127.0.0.1:%d&", web_world_fleet(world)->servers[n].port);
    if (dead) at += sprintf(at, "target=127.0.0.1:1&");
    sprintf(at, "%s", rest);
    web_world_ask(world, line, "");
}

static const char *expect_exposition(struct web_world *world, const char *status_line)
{
    const char *answer = web_world_answer(world, status_line);
    assert_non_null(strstr(answer, "\r\nContent-Type: " CONTENT_TYPE "\r\n"));
    assert_non_null(strstr(answer, "\r\nVary: Accept, Accept-Encoding\r\n"));
    return web_world_body(answer);
}

static void test_answer(void **state)
{
    struct web_world *world = *state;
    for (unsigned n = 0; n < 3; n++) {
        ask(world, 1, false, "");
        const char *text = expect_exposition(world, "HTTP/1.1 200 OK\r\n");
        expect_line(text, "memcached_up 1");
        expect_line(text, "memcached_current_items 5");
    }
    assert_int_equal(web_world_fleet(world)->telemetry.results[SCRAPE_COMPLETE], 3);
}

/* A target that is down is no error, unless that is asked for and none is up. */
static void test_fail(void **state)
{
    static const struct {
        bool fail, up, down;
        const char *status_line;
    } rows[] = {
        {false, false, true, "HTTP/1.1 200 OK\r\n"},
        {true, false, true, "HTTP/1.1 502 Bad Gateway\r\n"},
        {true, true, true, "HTTP/1.1 200 OK\r\n"},
        {true, true, false, "HTTP/1.1 200 OK\r\n"},
    };
    struct web_world *world = *state;
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        ask(world, rows[n].up, rows[n].down, rows[n].fail ? "fail=true" : "");
        const char *text = expect_exposition(world, rows[n].status_line);
        assert_int_equal(exposition_count(text, "memcached_up"), rows[n].up + rows[n].down);
    }
}

/*
 * A name that leads only to what is forbidden; beside others it is one of the states that a target may have.
 */
static void test_forbidden(void **state)
{
    struct web_world *world = *state;
    manager_world_set(&world->manager, "scrape_policy: {allow: [8.8.8.8]}");
    world_add_server(web_world_fleet(world), 0);
    for (unsigned others = 0; others < 2; others++) {
        ask(world, others, false, "target=localhost");
        const char *text =
            web_world_answer(world, others ? "HTTP/1.1 200 OK\r\n" : "HTTP/1.1 403 Forbidden\r\n");
        if (others)
            assert_int_equal(exposition_count(text, "memcached_up"), 2);
        else
            assert_non_null(strstr(text, "target: no rule of scrape_policy allows localhost:11211 ("));
    }
}

/* Until none runs. */
static void wait_for_scrapes(struct web_world *world)
{
    struct fleet_world *fleet = web_world_fleet(world);
    unsigned waited_ms = 0;
    for (; fleet->telemetry.scrapes_running && waited_ms < 20000; waited_ms++) loop_run_for(&fleet->loop, 1);
    assert_int_equal(fleet->telemetry.scrapes_running, 0);
}

/* One more than --web.max-requests is turned away, and counted. */
static void test_too_many_at_once(void **state)
{
    struct web_world *world = *state;
    struct telemetry *telemetry = &web_world_fleet(world)->telemetry;
    uv_loop_t *loop = &web_world_fleet(world)->loop;
    char line[64];
    int busy[2];
    web_world_fleet(world)->servers[0].reply = NULL;
    snprintf(line, sizeof(line), "GET /scrape?target=127.0.0.1:%d", web_world_fleet(world)->servers[0].port);
    for (unsigned n = 0; n < 2; n++) {
        web_world_ask(world, line, "X-Prometheus-Scrape-Timeout-Seconds: 2\r\n");
        loop_run_until_count(loop, &telemetry->scrapes_running, n + 1);
        busy[n] = world->client;
    }
    ask(world, 1, false, "");
    web_world_answer(world, "HTTP/1.1 503 ");
    assert_int_equal(telemetry->scrapes_rejected, 1);
    assert_int_equal(telemetry->scrapes_running, 2);

    /* The scrapes end at their deadline, which gives the places back. */
    wait_for_scrapes(world);
    ask(world, 0, true, "");
    expect_exposition(world, "HTTP/1.1 200 OK\r\n");
    for (unsigned n = 0; n < 2; n++) close(busy[n]);
}

/* The head alone, without a poll; what is wrong with the query is said all the same. */
static void test_head(void **state)
{
    struct web_world *world = *state;
    web_world_ask(world, "HEAD /scrape?target=127.0.0.1:1", "");
    assert_string_equal(expect_exposition(world, "HTTP/1.1 200 OK\r\n"), "");
    assert_int_equal(web_world_fleet(world)->telemetry.results[SCRAPE_DOWN], 0);
    web_world_ask(world, "HEAD /scrape", "");
    web_world_answer(world, "HTTP/1.1 400 ");
}

/* The server stops in the middle of the gather: that ends with it, whoever is still being asked. */
static void test_server_stops_at_every_turn(void **state)
{
    struct web_world *world = *state;
    struct fleet_world *fleet = web_world_fleet(world);
    fleet->servers[0].reply = NULL;
    for (unsigned turns = 0; turns < 12; turns++) {
        unsigned before = world->requests;
        if (world->closed) web_world_start_server(world);
        ask(world, 1, true, "");
        loop_run_until_count(&fleet->loop, &world->requests, before + 1);
        assert_int_equal(fleet->telemetry.scrapes_running, 1);
        loop_turn(&fleet->loop, turns);
        assert_int_equal(fleet->telemetry.scrapes_running, 1);
        server_close(world->server, 0, world_set_true, &world->closed);
        web_world_leave(world); /* else the server waits half a second for the last words to be read */
        loop_run_until(&fleet->loop, &world->closed);
        assert_int_equal(fleet->telemetry.scrapes_running, 0);
    }
}

/* A client that does not wait for the answer: the gather goes on to its end, for those who share it. */
static void test_client_leaves(void **state)
{
    struct web_world *world = *state;
    struct fleet_world *fleet = web_world_fleet(world);
    char line[64];
    fleet->servers[0].reply = NULL;
    snprintf(line, sizeof(line), "GET /scrape?target=127.0.0.1:%d", fleet->servers[0].port);
    web_world_ask(world, line, "X-Prometheus-Scrape-Timeout-Seconds: 0.4\r\n");
    loop_run_until_count(&fleet->loop, &world->requests, 1);
    web_world_leave(world);
    wait_for_scrapes(world);
    assert_int_equal(fleet->telemetry.results[SCRAPE_DOWN], 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answer),           TEST(test_fail), TEST(test_forbidden),
        TEST(test_too_many_at_once), TEST(test_head), TEST(test_server_stops_at_every_turn),
        TEST(test_client_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
