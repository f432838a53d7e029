#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "collectors/fleet.h"
#include "fake_server.h"
#include "loop.h"
#include "metrics/registry.h"

#include <stdio.h>
#include <stdlib.h>

#define ALL_COMMANDS                                                                                         \
    (COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SETTINGS) | COMMAND_BIT(COMMAND_ITEMS) |               \
     COMMAND_BIT(COMMAND_SLABS))

/* One server that answers, one port where nobody does. */
struct world {
    uv_loop_t loop;
    struct fake_server server;
    struct fleet *fleet;
    struct target *targets[2];
    struct fan_out *fan_out;
    unsigned asked, shown; /* sets of commands: that a poll asks, whose metrics are written */
    bool done, closed;
};

static struct target *make_target(struct world *world, int port, unsigned commands, struct slice labels)
{
    struct address address;
    char text[64];
    snprintf(text, sizeof(text), "127.0.0.1:%d", port);
    assert_null(address_parse(&address, slice_of(text), 1));
    struct profile *profile = profile_new(commands, UINT64_MAX, NULL);
    struct target *target = target_new(world->fleet, &address, profile, slice_of(text), labels);
    assert_non_null(target);
    profile_release(profile);
    return target;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct fleet_config config = {
        .max_connecting = 2, .idle_timeout_ns = 1000000000, .max_reply = 1 << 20, .max_prefixes = 600};
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    loop_open(&world->loop);
    assert_int_equal(fleet_new(&world->fleet, &world->loop, &config), 0);
    fake_server_start(&world->server, &world->loop);
    world->asked = world->shown = ALL_COMMANDS;
    world->targets[0] = make_target(world, world->server.port, COMMANDS_ALL, SLICE("instance=\"a:1\""));
    world->targets[1] = make_target(world, 1, COMMANDS_ALL, SLICE("instance=\"b:1\""));
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
    fan_out_free(world->fan_out);
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
    struct fleet_walk fleet;
    struct exposition exposition;
    struct buffer out;
    fan_out_free(world->fan_out);
    world->done = false;
    assert_int_equal(fan_out_start(&world->fan_out, world->fleet, world->targets, count, world->asked, 5000,
                                   set_true, &world->done),
                     0);
    loop_run_until(&world->loop, &world->done);
    assert_int_equal(fleet_walk_init(&fleet, world->fan_out, world->shown, with_labels), 0);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &fleet.walk);
    buffer_init(&out, 4 << 20);
    while (exposition_fill(&exposition, &out, out.len + 1)) assert_false(out.failed);
    fleet_walk_deinit(&fleet);
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
    expect_line(text, "memcached_slab_lru_hits_total{lru=\"temporary\",slab=\"3\"} 9");
    expect_line(text, "memcached_slab_commands_total{command=\"set\",slab=\"1\",status=\"hit\"} 5");
    expect_line(text, "memcached_unmapped_stat{command=\"stats\",stat=\"brand_new\"} 7");
    expect_none(text, "memcached_items_evicted_total");
    expect_line(text,
                "memcached_unmapped_text_info{command=\"stats\",stat=\"wordy\",value=\"some words\"} 1");
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
            /* The lines of a gauge histogram have a header for each kind and then stand together. */
            static const char *const kinds[] = {"_bucket"};
            for (size_t n = 0; n < 1; n++) {
                char *end = strstr(current, kinds[n]);
                if (end && strlen(end) == strlen(kinds[n])) *end = '\0';
            }
        } else if (!slice_starts(line, "# TYPE ")) {
            assert_true(slice_starts(line, current));
            struct slice rest_of_name = slice_from(line, strlen(current));
            if (slice_starts(rest_of_name, "_bucket{") || slice_starts(rest_of_name, "_g")) continue;
            assert_true(rest_of_name.data[0] == '{' || rest_of_name.data[0] == ' ');
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

/* --- The commands that are off by default --- */

#define FIRST_REPLIES                                                                                        \
    "STAT version 1.6.18\r\nSTAT extstore_limit_maxbytes 1\r\nEND\r\n"                                       \
    "STAT maxconns 7\r\nEND\r\n"                                                                             \
    "STAT items:1:age 5\r\nSTAT items:2:age 4000\r\nEND\r\n"                                                 \
    "STAT 1:chunk_size 96\r\nEND\r\n"                                                                        \
    "STAT 1:state conn_read\r\nEND\r\n"                                                                      \
    "PREFIX a\xff get 3 hit 2 set 1 del 0\r\nEND\r\n"                                                        \
    "STAT user_a\\b 3\r\nSTAT vm_memory_kb 2\r\nSTAT cmd_mg 4\r\nEND\r\n"                                    \
    "STAT funcs_my func 2\r\nSTAT slots_my func 3\r\nEND\r\n"                                                \
    "STAT bad_down one 2\r\nEND\r\n"
#define SECOND_REPLIES "STAT 96 4\r\nSTAT 128 2\r\nEND\r\nSTAT 3:bucket_id 1\r\nSTAT 3:bytes 9\r\nEND\r\n"

static void test_every_command(void **state)
{
    struct world *world = *state;
    world->server.reply = FIRST_REPLIES;
    world->server.second_reply = SECOND_REPLIES;
    world->asked = world->shown = COMMANDS_ALL;
    char *text = collect(world, 1, false);
    expect_none(text, "memcached_target_collector_success{collector=\"stats\"} 0");
    expect_line(text, "memcached_target_collector_success{collector=\"sizes\"} 1");
    expect_line(text, "memcached_target_collector_success{collector=\"extstore\"} 1");
    expect_line(text, "memcached_extstore_page_bytes{page=\"3\"} 9");
    expect_line(text, "memcached_proxy_user_total{name=\"a\\\\b\"} 3");
    expect_line(text, "memcached_proxy_vm_memory_bytes 2048");
    expect_line(text, "memcached_proxy_commands_total{command=\"mg\"} 4");
    expect_line(text, "memcached_proxy_functions{name=\"my func\"} 2");
    expect_line(text, "memcached_proxy_function_slots{name=\"my func\"} 3");
    expect_line(text, "memcached_proxy_backend_bad{backend=\"down one\"} 2");
    expect_line(text, "memcached_connections_by_state{listener=\"\",state=\"conn_read\"} 1");
    expect_line(text, "memcached_prefix_get_hits_total{prefix=\"a\xef\xbf\xbd\"} 2");
    expect_line(text, "memcached_item_size_bytes_bucket{le=\"128.0\"} 6");
    expect_line(text, "memcached_slab_tail_age_seconds_bucket{le=\"10.0\"} 1");
    expect_line(text, "memcached_unmapped_stat{command=\"extstore\",stat=\"3:bucket_id\"} 1");
    free(text);
}

/* Neither 0 nor 1 for what was not sent, for the server's sake. */
static void test_commands_that_were_not_sent(void **state)
{
    struct world *world = *state;
    world->server.reply =
        "STAT pid 1\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nEND\r\nERROR\r\nERROR\r\nERROR\r\n";
    world->asked = world->shown = COMMANDS_ALL;
    char *text = collect(world, 2, true);
    expect_none(text, "collector=\"sizes\"");
    expect_none(text, "collector=\"extstore\"");
    expect_none(text, "memcached_item_size");
    expect_line(text, "memcached_target_collector_success{instance=\"a:1\",collector=\"conns\"} 1");
    expect_line(text, "memcached_target_collector_success{instance=\"a:1\",collector=\"proxy\"} 0");
    expect_line(text, "memcached_target_collector_success{instance=\"b:1\",collector=\"conns\"} 0");
    free(text);
}

/* The poll may have asked more, for somebody else. */
static void test_only_what_was_wanted_is_written(void **state)
{
    struct world *world = *state;
    world->server.reply = FIRST_REPLIES;
    world->server.second_reply = SECOND_REPLIES;
    world->asked = COMMANDS_ALL;
    world->shown = COMMAND_BIT(COMMAND_SETTINGS);
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_max_connections 7");
    expect_line(text, "memcached_target_collector_success{collector=\"settings\"} 1");
    expect_none(text, "collector=\"conns\"");
    expect_none(text, "memcached_version");
    expect_none(text, "memcached_slab");
    expect_none(text, "memcached_connections");
    expect_none(text, "memcached_prefix");
    expect_none(text, "memcached_item_size");
    expect_none(text, "memcached_proxy");
    expect_none(text, "memcached_extstore_page");
    expect_none(text, "memcached_unmapped_stat");
    free(text);
}

/* Some of two rows that say the same is not wanted: the other one speaks. */
static void test_preferred_stat_that_is_not_wanted(void **state)
{
    struct world *world = *state;
    world->server.reply = "STAT max_connections 10\r\nEND\r\nSTAT maxconns 11\r\nEND\r\nEND\r\nEND\r\n";
    world->shown = COMMAND_BIT(COMMAND_SETTINGS);
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_max_connections 11");
    free(text);
}

/* What concerns all slab classes together stays. What `stats` says of the slab allocator goes. */
static void test_totals_of_slabs_only(void **state)
{
    struct world *world = *state;
    target_release(world->targets[0]);
    world->targets[0] =
        make_target(world, world->server.port, COMMANDS_ALL | WITHOUT_CLASSES(COMMAND_BIT(COMMAND_SLABS)),
                    SLICE("instance=\"a:1\""));
    world->server.reply =
        "STAT slabs_moved 4\r\nSTAT slab_reassign_last_busy_status x\r\nSTAT pid 1\r\nEND\r\nEND\r\n"
        "STAT 1:chunk_size 96\r\nSTAT 1:cmd_set 3\r\nSTAT 1:brand_new 3\r\nSTAT total_malloced 77\r\n"
        "STAT active_slabs 1\r\nEND\r\n";
    world->asked = world->shown = ALL_COMMANDS & ~COMMAND_BIT(COMMAND_ITEMS);
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_malloced_bytes 77");
    expect_line(text, "memcached_slabs_active 1");
    expect_none(text, "memcached_slab_");
    expect_none(text, "brand_new");
    free(text);
}

/* The figures over all classes stay where nothing by class is shown, if they are asked for. */
static void test_summary_of_slabs_only(void **state)
{
    static const struct {
        unsigned collectors, asked;
        bool shown;
    } cases[] = {
        {COLLECTORS_ALL | WITHOUT_CLASSES(SLAB_COMMANDS), ALL_COMMANDS | SLAB_SUMMARY, true},
        {COMMANDS_ALL | WITHOUT_CLASSES(SLAB_COMMANDS), ALL_COMMANDS | SLAB_SUMMARY, false},
        {COLLECTORS_ALL, ALL_COMMANDS | SLAB_SUMMARY | WITHOUT_CLASSES(SLAB_COMMANDS), true},
        {COLLECTORS_ALL | WITHOUT_CLASSES(SLAB_COMMANDS), ALL_COMMANDS, false},
    };
    struct world *world = *state;
    world->server.reply = "STAT limit_maxbytes 1920\r\nEND\r\nEND\r\n"
                          "STAT items:1:evicted 0\r\nSTAT items:1:age 5\r\nSTAT items:2:evicted 3\r\n"
                          "STAT items:2:evicted_time 7\r\nSTAT items:2:mem_requested 1000\r\nEND\r\n"
                          "STAT 1:chunk_size 96\r\nSTAT 1:free_chunks 5\r\nSTAT 2:chunk_size 120\r\n"
                          "STAT 2:used_chunks 10\r\nEND\r\n";
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        fan_out_free(world->fan_out);
        world->fan_out = NULL;
        target_release(world->targets[0]);
        world->targets[0] =
            make_target(world, world->server.port, cases[n].collectors, SLICE("instance=\"a:1\""));
        world->asked = ALL_COMMANDS;
        world->shown = cases[n].asked;
        char *text = collect(world, 1, false);
        expect_none(text, "slab=");
        expect_none(text, "memcached_slab_tail_age_seconds");
        if (cases[n].shown) {
            expect_line(text, "memcached_slab_wasted_bytes 200");
            expect_line(text, "memcached_slab_classes_evicting 1");
            expect_line(text, "memcached_eviction_age_seconds 7");
            expect_line(text, "memcached_slab_free_while_evicting_bytes 480");
            expect_line(text, "memcached_slab_imbalance_ratio 0.25");
        } else {
            expect_none(text, "memcached_slab");
            expect_none(text, "memcached_eviction_age_seconds");
        }
        free(text);
    }
}

/* Without both collectors nothing is left of slabs. */
static void test_neither_items_nor_slabs(void **state)
{
    struct world *world = *state;
    world->server.reply = "STAT slabs_moved 4\r\nSTAT pid 1\r\nEND\r\n";
    world->asked = world->shown = COMMAND_BIT(COMMAND_STATS);
    char *text = collect(world, 1, false);
    expect_none(text, "memcached_slab");
    free(text);
}

/* mem_requested of `stats slabs` is a gauge for the official exporter, that of `stats items` a counter. */
static void test_type_of_a_stat_that_moved(void **state)
{
    static const struct {
        const char *reply, *type;
    } cases[] = {
        {"STAT pid 1\r\nEND\r\nEND\r\nEND\r\nSTAT 1:mem_requested 5\r\nSTAT 2:mem_requested 6\r\nEND\r\n",
         "gauge"},
        {"STAT pid 1\r\nEND\r\nEND\r\nSTAT items:1:mem_requested 5\r\nSTAT items:2:mem_requested "
         "6\r\nEND\r\nEND\r\n",
         "counter"},
    };
    struct world *world = *state;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        char type[128];
        snprintf(type, sizeof(type), "# TYPE memcached_slab_mem_requested_bytes %s", cases[n].type);
        world->server.reply = cases[n].reply;
        char *text = collect(world, 1, false);
        expect_line(text, type);
        expect_line(text, "memcached_slab_mem_requested_bytes{slab=\"1\"} 5");
        expect_line(text, "memcached_slab_mem_requested_bytes{slab=\"2\"} 6");
        free(text);
    }
}

/* A family that takes several steps loses nothing between them. */
static void test_many_prefixes(void **state)
{
    struct world *world = *state;
    struct buffer reply;
    buffer_init(&reply, 1 << 20);
    buffer_append_string(&reply, "STAT pid 1\r\nEND\r\n");
    for (unsigned n = 0; n < 1000; n++)
        buffer_printf(&reply, "PREFIX p%03u get %u hit 1 set 0 del 0\r\n", n, n);
    buffer_append(&reply, "END\r\n", sizeof("END\r\n"));
    world->server.reply = reply.data;
    world->asked = world->shown = COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_DETAIL);
    char *text = collect(world, 1, false);
    for (unsigned n = 0; n < 1000; n++) {
        char line[128];
        snprintf(line, sizeof(line), "memcached_prefix_commands_total{prefix=\"p%03u\",command=\"get\"} %u",
                 n, n);
        if (n >= 400) expect_line(text, line);
        if (n < 400) expect_none(text, line);
    }
    expect_line(text, "memcached_prefix_commands_total{prefix=\"\",command=\"get\"} 79800");
    expect_line(text, "memcached_prefix_get_hits_total{prefix=\"\"} 400");
    expect_line(text, "memcached_prefixes_dropped 400");
    const char *first = strstr(text, "memcached_prefix_get_hits_total{prefix=\"\"}");
    assert_null(strstr(first + 1, "memcached_prefix_get_hits_total{prefix=\"\"}"));
    free(text);
    buffer_deinit(&reply);
}

/* The families fit each other and the rules. */
static void test_families_are_well_formed(void **state)
{
    const struct collector *collector = fleet_collector();
    struct registry registry;
    struct buffer error;
    (void) state;
    buffer_init(&error, 4096);
    registry_init(&registry);
    int result = registry_add(&registry, collector, &error);
    if (result) fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
}

/* Keys that differ only in bytes that no label can hold would make one series twice. */
static void test_unmapped_stats_that_look_alike(void **state)
{
    struct world *world = *state;
    world->server.reply = "STAT zz\xff 1\r\nSTAT zz\xfe 2\r\nEND\r\nEND\r\nEND\r\nEND\r\n";
    char *text = collect(world, 1, false);
    expect_line(text, "memcached_unmapped_stat{command=\"stats\",stat=\"zz\xef\xbf\xbd\"} 1");
    expect_none(text, "\xef\xbf\xbd\"} 2");
    expect_line(text, "memcached_target_parse_errors 0");
    free(text);
}

/* A server with thousands of stats must not make a piece that no sink takes. */
static void test_steps_are_small(void **state)
{
    struct world *world = *state;
    struct fleet_walk fleet;
    struct exposition exposition;
    struct buffer reply, out;
    size_t lines = 0;
    bool more = true;
    buffer_init(&reply, 1 << 20);
    for (unsigned n = 0; n < 20000; n++) buffer_printf(&reply, "STAT unknown_%u 1\r\n", n);
    buffer_append(&reply, "END\r\nEND\r\nEND\r\nEND\r\n", 21); /* with its NUL */
    world->server.reply = reply.data;
    free(collect(world, 1, false));

    assert_int_equal(fleet_walk_init(&fleet, world->fan_out, world->shown, false), 0);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &fleet.walk);
    buffer_init(&out, 1 << 20);
    while (more) {
        buffer_clear(&out);
        more = exposition_fill(&exposition, &out, 1);
        assert_true(out.len < 64 * 1024);
        for (size_t at = 0; at < out.len; at++) lines += out.data[at] == '\n';
    }
    assert_true(lines > SNAPSHOT_SERIES_MAX / 2);
    fleet_walk_deinit(&fleet);
    exposition_deinit(&exposition);
    buffer_deinit(&out);
    buffer_deinit(&reply);
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
        TEST(test_values_and_labels),
        TEST(test_stat_of_two_commands),
        TEST(test_families_stand_together),
        TEST(test_second_poll_uses_the_connection),
        TEST(test_refused_command),
        TEST(test_every_command),
        TEST(test_commands_that_were_not_sent),
        TEST(test_only_what_was_wanted_is_written),
        TEST(test_preferred_stat_that_is_not_wanted),
        TEST(test_totals_of_slabs_only),
        TEST(test_summary_of_slabs_only),
        TEST(test_neither_items_nor_slabs),
        TEST(test_type_of_a_stat_that_moved),
        TEST(test_many_prefixes),
        TEST(test_families_are_well_formed),
        TEST(test_unmapped_stats_that_look_alike),
        TEST(test_steps_are_small),
        TEST(test_no_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
