/* The push as the options ask for it: what arrives at a gateway, what may fail, and ends at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fake_gateway.h"
#include "publisher_world.h"

#define ACCEPTED "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define FAILED   "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"

static struct fake_gateway gateway;
static char url[64], job[] = "fleet";

static int setup(void **state)
{
    if (publisher_world_setup(state) < 0) return -1;
    struct publisher_world *world = *state;
    fake_gateway_start(&gateway, &world->fleet.loop);
    gateway.reply = ACCEPTED;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d", gateway.port);
    world->options.push.url = url;
    world->options.push.job = job;
    world_add_server(&world->fleet, 0);
    return 0;
}

static int teardown(void **state)
{
    fake_gateway_stop(&gateway);
    int result = publisher_world_teardown(state);
    fake_gateway_deinit(&gateway);
    return result;
}

static void expect_in_head(const char *words)
{
    if (!strstr(gateway.head, words)) fail_msg("no %s in:\n%s", words, gateway.head);
}

static void test_pushes_at_intervals(void **state)
{
    struct publisher_world *world = *state;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 3);
    publisher_world_stop(world);
    expect_in_head("PUT /metrics/job/fleet HTTP/1.1\r\n");
    expect_in_head("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    expect_in_head("\r\nUser-Agent: memcached_fleet_exporter\r\n");
    char *text = strndup(gateway.body, gateway.body_len);
    expect_line(text, "memcached_up 1");
    assert_non_null(strstr(text, "# HELP memcached_exporter_build_info "));
    free(text);
    assert_int_equal(strspn(gateway.methods, "P"), gateway.requests);
    assert_int_equal(publisher_world_files(world), 0);
}

static void test_grouping(void **state)
{
    struct publisher_world *world = *state;
    struct push_label labels[] = {{"zone", "a"}, {"odd", "x=y"}};
    world->options.push.grouping = (struct push_labels){labels, ARRAY_LEN(labels)};
    world->options.push.post = true;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 1);
    publisher_world_stop(world);
    expect_in_head("POST /metrics/job/fleet/zone/a/odd/x%3Dy HTTP/1.1\r\n");
}

static void test_textfile_beside_it(void **state)
{
    struct publisher_world *world = *state;
    world->options.textfile = world->path;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 2);
    publisher_world_run(world, 2);
    publisher_world_stop(world);
    free(publisher_world_file(world));
}

static void test_delete_on_exit(void **state)
{
    struct publisher_world *world = *state;
    world->options.push.delete_on_exit = true;
    world->options.push.interval_ns = 3600000000000;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 1);
    loop_run_for(&world->fleet.loop, 20);
    publisher_world_stop(world);
    assert_string_equal(gateway.methods, "PD");
    expect_in_head("DELETE /metrics/job/fleet HTTP/1.1\r\n");
}

/* Each push tells of those before it, good and bad. */
static void test_pushes_are_counted(void **state)
{
    struct publisher_world *world = *state;
    gateway.reply = FAILED;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 1);
    gateway.reply = ACCEPTED;
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 4);
    char *text = strndup(gateway.body, gateway.body_len);
    expect_line(text, "memcached_exporter_output_writes_total{output=\"push\"} 3");
    expect_line(text, "memcached_exporter_output_failures_total{output=\"push\"} 1");
    free(text);
    publisher_world_stop(world);
}

static void test_gateway_that_fails(void **state)
{
    struct publisher_world *world = *state;
    gateway.reply = FAILED;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 2);
    publisher_world_stop(world);
    assert_int_equal(publisher_world_logged(world, "push failed"), 1);
}

/* A secret that is away while it is renewed costs pushes, and no more: they go on when it is back. */
static void test_password_that_comes_later(void **state)
{
    struct publisher_world *world = *state;
    char path[160];
    snprintf(path, sizeof(path), "%s/password", world->folder);
    world->options.push.username = "u";
    world->options.push.password_file = path;
    publisher_world_start(world);
    for (unsigned ms = 0; ms < 10000 && world->publisher.push.counts.failures < 2; ms++)
        loop_run_for(&world->fleet.loop, 1);
    assert_true(world->publisher.push.counts.failures >= 2);
    assert_int_equal(gateway.requests, 0);
    assert_int_equal(publisher_world_logged(world, "push failed"), 1);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("secret\n", file);
    fclose(file);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 1);
    expect_in_head("Authorization: Basic ");
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 2);
    assert_int_equal(publisher_world_logged(world, "push works again"), 1);
    publisher_world_stop(world);
    assert_int_equal(unlink(path), 0);
}

/* --- Once --- */

/* Runs --once with what the options have, and returns the exit code. */
static int run_once(struct publisher_world *world)
{
    world->options.once = true;
    world->once = 0;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &world->once, 1);
    loop_run_until(&world->fleet.loop, &world->closed);
    assert_int_equal(world->once, 1);
    return world->code;
}

/* There is one push. The exit code tells of it, and of the servers. */
static void test_once(void **state)
{
    struct publisher_world *world = *state;
    assert_int_equal(run_once(world), 0);
    assert_string_equal(gateway.methods, "P");
    world_add_dead(&world->fleet);
    assert_int_equal(run_once(world), DELIVERY_SOME_DOWN);
    assert_int_equal(gateway.requests, 2);
    gateway.reply = FAILED;
    assert_int_equal(run_once(world), 1);
    assert_int_equal(gateway.requests, 3);
    assert_int_equal(publisher_world_logged(world, "push failed\""), 1);
    assert_int_equal(publisher_world_logged(world, "trying again"), 0);
    assert_int_equal(publisher_world_files(world), 0);
}

/* Both outputs are written, and either can fail. */
static void test_once_with_a_textfile(void **state)
{
    struct publisher_world *world = *state;
    char path[] = "/nothing/here.prom";
    world->options.textfile = world->path;
    assert_int_equal(run_once(world), 0);
    assert_int_equal(gateway.requests, 1);
    free(publisher_world_file(world));
    gateway.reply = FAILED;
    assert_int_equal(run_once(world), 1);
    gateway.reply = ACCEPTED;
    world->options.textfile = path;
    assert_int_equal(run_once(world), 1);
    assert_int_equal(gateway.requests, 3);
}

/* A password that cannot be read, which is found before anything is sent. */
static void test_once_that_cannot_begin(void **state)
{
    struct publisher_world *world = *state;
    world->options.push.username = "u";
    world->options.push.password_file = "/nowhere/password";
    assert_int_equal(run_once(world), 1);
    assert_int_equal(gateway.requests, 0);
}

/* --- Ends --- */

/* While it collects, sends, or waits for the answer; an end is no failure to tell of. */
static void test_closed_at_every_turn(void **state)
{
    struct publisher_world *world = *state;
    for (unsigned turns = 0; turns < 40; turns++) {
        if (turns % 2) fake_server_drop(&world->fleet.servers[0]);
        publisher_world_start(world);
        for (unsigned n = 0; n < turns; n++) {
            loop_turn(&world->fleet.loop, 1);
            usleep(300);
        }
        publisher_world_stop(world);
        unsigned requests = gateway.requests;
        loop_run_for(&world->fleet.loop, 5);
        assert_true(gateway.requests <= requests + 1);
    }
    assert_int_equal(publisher_world_logged(world, "push failed"), 0);
}

/* The collection of a push waits for a server that says nothing. */
static void test_closed_while_it_collects(void **state)
{
    struct publisher_world *world = *state;
    world->fleet.servers[0].reply = NULL;
    for (unsigned turns = 2; turns < 8; turns++) {
        uint64_t started_ns = uv_hrtime();
        publisher_world_start(world);
        loop_turn(&world->fleet.loop, turns);
        publisher_world_stop(world);
        assert_true(uv_hrtime() - started_ns < 1000000000);
    }
    assert_int_equal(gateway.requests, 0);
    assert_int_equal(publisher_world_logged(world, "push failed"), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_once),
        TEST(test_once_with_a_textfile),
        TEST(test_once_that_cannot_begin),
        TEST(test_pushes_at_intervals),
        TEST(test_grouping),
        TEST(test_textfile_beside_it),
        TEST(test_delete_on_exit),
        TEST(test_pushes_are_counted),
        TEST(test_gateway_that_fails),
        TEST(test_password_that_comes_later),
        TEST(test_closed_at_every_turn),
        TEST(test_closed_while_it_collects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
