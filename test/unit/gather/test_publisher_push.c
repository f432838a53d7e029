/* The push as the options ask for it: what arrives at a gateway, what is refused, and ends at any time. */
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
    world->options.push_url = url;
    world->options.push_job = job;
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

/* A label's value may hold what its name may not, the equals sign included. */
static void test_grouping(void **state)
{
    struct publisher_world *world = *state;
    char zone[] = "zone=a", odd[] = "odd=x=y", *items[] = {zone, odd};
    world->options.push_grouping = (struct string_list){items, ARRAY_LEN(items)};
    world->options.push_post = true;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &gateway.requests, 1);
    publisher_world_stop(world);
    expect_in_head("POST /metrics/job/fleet/zone/a/odd/x%3Dy HTTP/1.1\r\n");
    assert_string_equal(zone, "zone=a");
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
    world->options.push_delete_on_exit = true;
    world->options.push_interval_ns = 3600000000000;
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

/* --- What is refused at the start --- */

static void expect_refused(struct publisher_world *world, const char *start, const char *words)
{
    struct buffer error;
    buffer_init(&error, 4096);
    assert_true(publisher_world_try(world, &error) < 0);
    buffer_append_char(&error, '\0');
    assert_true(slice_starts(buffer_slice(&error), start));
    if (!strstr(error.data, words)) fail_msg("no %s in: %s", words, error.data);
    assert_null(strchr(error.data, '\n'));
    buffer_deinit(&error);
}

static void test_refused_settings(void **state)
{
    struct publisher_world *world = *state;
    char scheme[] = "ftp://127.0.0.1", user[] = "me", file[] = "/nothing/here.pem";
    world->options.push_url = scheme;
    expect_refused(world, "--push.url: ", "http");
    world->options.push_url = url;
    world->options.push_username = user;
    expect_refused(world, "--push.username: expected ", "");
    world->options.push_username = nothing;
    world->options.push_ca_file = file;
    expect_refused(world, "--push.tls.ca-file: expected ", "/nothing/here.pem");
}

static void test_refused_grouping(void **state)
{
    struct publisher_world *world = *state;
    static char lines[] = "a\nb", plain[] = "zone", good[] = "a=b", unnamed[] = "=b", twice[] = "a=c",
                of_job[] = "job=b";
    static const struct {
        char *items[2];
        const char *start;
    } rows[] = {
        {{plain, NULL}, "--push.grouping: \"zone\": expected label=value"},
        {{good, plain}, "--push.grouping: \"zone\": expected label=value"},
        {{lines, NULL}, "--push.grouping: \"a\\nb\": expected label=value"},
        {{unnamed, NULL}, "--push.grouping: expected "},
        {{good, twice}, "--push.grouping: expected "},
        {{of_job, NULL}, "--push.grouping: expected "},
    };
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        char *items[] = {rows[n].items[0], rows[n].items[1]};
        world->options.push_grouping = (struct string_list){items, items[1] ? 2 : 1};
        expect_refused(world, rows[n].start, "");
    }
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
        TEST(test_pushes_at_intervals),      TEST(test_grouping),           TEST(test_textfile_beside_it),
        TEST(test_delete_on_exit),           TEST(test_pushes_are_counted), TEST(test_gateway_that_fails),
        TEST(test_refused_settings),         TEST(test_refused_grouping),   TEST(test_closed_at_every_turn),
        TEST(test_closed_while_it_collects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
