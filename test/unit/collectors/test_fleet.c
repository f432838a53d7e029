#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "collectors/fleet.h"
#include "fake_server.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>

#define ALL_COMMANDS (COMMAND_BIT(COMMAND_COUNT) - 1)

/* One server that answers, one port where nobody does. */
struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct fleet *fleet;
    struct target *targets[2];
    struct round *round;
    bool done, closed;
};

static struct target *make_target(struct world *world, int port, struct slice labels)
{
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_null(address_parse(&address, slice_of(text), 1));
    struct target *target = target_new(world->fleet, &address, slice_of(text), labels);
    assert_non_null(target);
    return target;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fleet_config config = {
        .commands = ALL_COMMANDS, .max_connecting = 2, .idle_timeout_ns = 1000000000, .max_reply = 1 << 20};
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    fake_server_start(&world->server, &world->loop);
    world->targets[0] = make_target(world, world->server.port, SLICE("instance=\"a:1\""));
    world->targets[1] = make_target(world, 1, SLICE("instance=\"b:1\""));
    *state = world;
    return 0;
}

static void set_true(void *context)
{
    *(bool *) context = true;
}

static int teardown(void **state)
{
    struct world *world = *state;
    round_free(world->round);
    target_release(world->targets[0]);
    target_release(world->targets[1]);
    fleet_close(world->fleet, set_true, &world->closed);
    fake_server_stop(&world->server);
    loop_run_until(&world->loop, &world->closed);
    loop_close(&world->loop);
    free(world);
    return 0;
}

/* Polls the targets and returns the exposition of what they said; the caller frees it. */
static char *collect(struct world *world, size_t count, bool with_labels)
{
    struct fleet_collector fleet;
    struct exposition exposition;
    struct buffer out;
    round_free(world->round);
    world->done = false;
    assert_int_equal(
        round_start(&world->round, world->fleet, world->targets, count, 5000, set_true, &world->done), 0);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(fleet_collector_init(&fleet, world->round, ALL_COMMANDS, with_labels), 0);
    exposition_init(&exposition);
    exposition_add(&exposition, &fleet.collector);
    buffer_init(&out, 1 << 20);
    assert_false(exposition_fill(&exposition, &out, 1 << 20));
    fleet_collector_deinit(&fleet);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static void expect_line(const char *text, const char *line)
{
    char with_ends[512];
    snprintf(with_ends, sizeof(with_ends), "\n%s\n", line);
    if (!strstr(text, with_ends)) fail_msg("no line %s in:\n%s", line, text);
}

static void expect_none(const char *text, const char *part)
{
    if (strstr(text, part)) fail_msg("unexpected %s in:\n%s", part, text);
}

#define REPLY                                                                                                \
    "STAT pid 42\r\nSTAT version 1.6\"x\\\xff\r\nSTAT max_connections 10\r\nSTAT rusage_user 0.5\r\n"        \
    "STAT cmd_set 100\r\nSTAT cas_hits 1\r\nSTAT cas_misses 2\r\nSTAT cas_badval 3\r\n"                      \
    "STAT get_hits 18446744073709551615\r\nSTAT get_misses 9007199254740993\r\nSTAT evictions many\r\n"      \
    "STAT time_in_listen_disabled_us 1500000\r\nSTAT brand_new 7\r\nSTAT wordy some words\r\nEND\r\n"        \
    "STAT maxconns 10\r\nSTAT lru_crawler yes\r\nSTAT inter NULL\r\nSTAT hash_algorithm murmur3\r\nEND\r\n"  \
    "STAT items:1:number 5\r\nSTAT items:1:mem_requested 480\r\nSTAT items:3:hits_to_temp 9\r\nEND\r\n"      \
    "STAT 1:chunk_size 96\r\nSTAT 1:cmd_set 9\r\nSTAT 1:cas_hits 4\r\nSTAT 1:get_hits 6\r\nSTAT "            \
    "active_slabs 2\r\n"                                                                                     \
    "END\r\n"

static void test_values_and_labels(void **state)
{
    struct world *world = *state;
    world->server.reply = REPLY;
    char *text = collect(world, 1, false);
    assert_true(strncmp(text, "# HELP memcached_up ", 20) == 0);
    expect_line(text, "memcached_up 1");
    expect_line(text, "memcached_target_state{memcached_target_state=\"up\"} 1");
    expect_line(text, "memcached_target_state{memcached_target_state=\"refused\"} 0");
    expect_line(text, "memcached_target_connection_reused 0");
    expect_line(text, "memcached_target_collector_success{collector=\"slabs\"} 1");
    expect_line(text, "memcached_target_parse_errors 1");
    expect_line(text, "memcached_version{version=\"1.6\\\"x\\\\\xef\xbf\xbd\"} 1");
    expect_line(text, "memcached_process_user_cpu_seconds_total 0.5");
    expect_line(text, "memcached_commands_total{command=\"set\",status=\"hit\"} 94");
    expect_line(text, "memcached_commands_total{command=\"get\",status=\"hit\"} 18446744073709551615");
    expect_line(text, "memcached_commands_total{command=\"get\",status=\"miss\"} 9007199254740993");
    expect_line(text, "memcached_connections_listener_disabled_seconds_total 1.5");
    expect_line(text, "memcached_lru_crawler_enabled 1");
    expect_line(text, "memcached_setting_info{setting=\"hash_algorithm\",value=\"murmur3\"} 1");
    expect_line(text, "memcached_slab_current_items{slab=\"1\"} 5");
    expect_line(text, "memcached_slab_mem_requested_bytes{slab=\"1\"} 480");
    expect_line(text, "memcached_slab_lru_hits_total{slab=\"3\",lru=\"temporary\"} 9");
    expect_line(text, "memcached_slab_commands_total{slab=\"1\",command=\"set\",status=\"hit\"} 5");
    expect_line(text, "memcached_unmapped_stat{command=\"stats\",stat=\"brand_new\"} 7");
    expect_none(text, "memcached_items_evicted_total");
    expect_none(text, "wordy");
    expect_none(text, "setting=\"inter\"");
    free(text);
}

/* A stat that two commands report comes out once. */
static void test_stat_of_two_commands(void **state)
{
    struct world *world = *state;
    world->server.reply = REPLY;
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_max_connections 10");
    const char *first = strstr(text, "\nmemcached_max_connections ");
    assert_null(strstr(first + 1, "\nmemcached_max_connections "));
    free(text);

    world->server.reply = "STAT pid 1\r\nEND\r\nSTAT maxconns 11\r\nEND\r\nEND\r\nEND\r\n";
    text = collect(world, 1, false);
    expect_line(text, "memcached_max_connections 11");
    free(text);
}

/* Each family stands in one block over all targets, with one HELP and one TYPE; a target that is down has no
 * stats. */
static void test_families_stand_together(void **state)
{
    struct world *world = *state;
    char seen[64][64];
    size_t count = 0;
    world->server.reply = REPLY;
    char *text = collect(world, 2, true);
    expect_line(text, "memcached_up{instance=\"a:1\"} 1");
    expect_line(text, "memcached_up{instance=\"b:1\"} 0");
    expect_line(text, "memcached_target_state{instance=\"b:1\",memcached_target_state=\"refused\"} 1");
    expect_line(text, "memcached_commands_total{instance=\"a:1\",command=\"set\",status=\"hit\"} 94");
    expect_none(text, "memcached_process_id{instance=\"b:1\"}");
    struct slice rest = slice_of(text);
    char current[64] = "";
    while (rest.data) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len == 0) continue;
        if (slice_starts(line, "# HELP ")) {
            struct slice name = slice_from(line, 7);
            name = slice_cut(&name, ' ');
            snprintf(current, sizeof(current), "%.*s", SLICE_ARG(name));
            for (size_t n = 0; n < count; n++) assert_string_not_equal(seen[n], current);
            strcpy(seen[count++], current);
        } else if (!slice_starts(line, "# TYPE ")) {
            assert_true(slice_starts(line, current));
            assert_true(line.data[strlen(current)] == '{' || line.data[strlen(current)] == ' ');
        }
    }
    assert_true(count > 20);
    free(text);
}

static void test_second_poll_uses_the_connection(void **state)
{
    struct world *world = *state;
    world->server.reply = REPLY;
    free(collect(world, 1, false));
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_target_connection_reused 1");
    free(text);
}

static void test_refused_command(void **state)
{
    struct world *world = *state;
    world->server.reply = "STAT pid 1\r\nEND\r\nERROR\r\nEND\r\nCLIENT_ERROR no\r\n";
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_up 1");
    expect_line(text, "memcached_target_collector_success{collector=\"stats\"} 1");
    expect_line(text, "memcached_target_collector_success{collector=\"settings\"} 0");
    expect_line(text, "memcached_target_collector_success{collector=\"items\"} 1");
    expect_line(text, "memcached_target_collector_success{collector=\"slabs\"} 0");
    free(text);
}

static void test_no_targets(void **state)
{
    struct world *world = *state;
    char *text = collect(world, 0, true);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_values_and_labels),       TEST(test_stat_of_two_commands),
        TEST(test_families_stand_together), TEST(test_second_poll_uses_the_connection),
        TEST(test_refused_command),         TEST(test_no_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
