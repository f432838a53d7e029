/* From the start to the release: what comes out, who is told, and ends at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "gather/expose.h"
#include "gather_world.h"

#include <unistd.h>

static void on_end(void *context)
{
    struct gather_world *world = context;
    assert_false(world->ended);
    world->ended = true;
}

/* The exposition, which alone holds request and gather from here on. */
static struct producer *make_producer(struct gather_world *world)
{
    struct producer *producer = expose(world->gather, world->request, on_end, world);
    assert_non_null(producer);
    gather_world_release(world);
    return producer;
}

/* The whole text, taken in pieces of that size, as a string that the caller frees. The exposition is over
 * then. */
static char *drain(struct gather_world *world, size_t want)
{
    struct producer *producer = make_producer(world);
    struct buffer out, piece;
    bool more = true;
    buffer_init(&out, EXPOSITION_MAX);
    buffer_init(&piece, EXPOSITION_MAX);
    for (unsigned pieces = 0; more && pieces < 100000; pieces++) {
        buffer_clear(&piece);
        more = producer->fill(producer, &piece, want);
        if (more) assert_true(piece.len > 0);
        assert_false(piece.failed);
        buffer_append_slice(&out, buffer_slice(&piece));
    }
    assert_false(more);
    assert_false(world->ended);
    producer->release(producer);
    assert_true(world->ended);
    buffer_deinit(&piece);
    buffer_append_char(&out, '\0');
    return out.data;
}

static void set_names(struct scrape_request *request, const char *names, size_t size)
{
    buffer_init(&request->names, 4096);
    buffer_append(&request->names, names, size);
}

/* --- What comes out --- */

static void test_one_target(void **state)
{
    struct gather_world *world = *state;
    gather_world_request(world);
    world_add_server(&world->fleet, 0);
    gather_world_run(world);
    assert_int_equal(world->gather->targets, 1);
    assert_int_equal(world->gather->up, 1);
    char *text = drain(world, 65536);
    assert_true(slice_starts(slice_of(text), "# HELP memcached_up "));
    expect_line(text, "memcached_up 1");
    expect_line(text, "memcached_current_items 5");
    assert_null(strstr(text, "# HELP memcached_exporter_"));
    assert_null(strstr(text, "process_resident_memory_bytes"));
    assert_null(strstr(text, "# EOF"));
    free(text);
}

static void test_several_targets_with_labels(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    char line[128];
    request->with_labels = true;
    request->format = FORMAT_OPENMETRICS;
    world_add_server(&world->fleet, 0);
    world_add_server(&world->fleet, 1);
    world_add_dead(&world->fleet);
    gather_world_run(world);
    assert_int_equal(world->gather->targets, 3);
    assert_int_equal(world->gather->up, 2);
    char *text = drain(world, 65536);
    for (size_t n = 0; n < 3; n++) {
        snprintf(line, sizeof(line), "memcached_up{instance=\"%s\"} %d", world->fleet.targets.items[n]->name,
                 n < 2);
        expect_line(text, line);
    }
    assert_string_equal(text + strlen(text) - 6, "# EOF\n");
    free(text);
}

/* However small the pieces, the text is the same; the filter leaves what does not change between two. */
static void test_pieces(void **state)
{
    static const size_t wants[] = {1, 2, 50, 100, 1000};
    static const char names[] = "memcached_up\0memcached_current_items\0memcached_target_state";
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    world_add_server(&world->fleet, 0);
    world_add_server(&world->fleet, 1);
    world_add_dead(&world->fleet);
    request->with_labels = true;
    set_names(request, names, sizeof(names));
    gather_world_run(world);
    char *whole = drain(world, 1 << 20);
    assert_int_equal(exposition_count(whole, "# HELP "), 3);
    for (size_t n = 0; n < ARRAY_LEN(wants); n++) {
        request = gather_world_request(world);
        request->with_labels = true;
        set_names(request, names, sizeof(names));
        gather_world_run(world);
        char *text = drain(world, wants[n]);
        assert_string_equal(text, whole);
        free(text);
    }
    free(whole);
}

/* The servers first, then the memcached of the pid file, the build, the exporter's work, its process. */
static void test_with_the_exporter(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    char path[] = "/tmp/test_gather_XXXXXX";
    int file = mkstemp(path);
    assert_true(dprintf(file, "%ld\n", (long) getpid()) > 0);
    close(file);
    world_add_server(&world->fleet, 0);
    request->own_collectors = OWN_ALL;
    request->pid_file = path;
    gather_world_run(world);
    char *text = drain(world, 4096);
    static const char *const parts[] = {
        "# HELP memcached_up ",
        "# HELP memcached_process_cpu_seconds_total ",
        "# HELP memcached_exporter_build_info ",
        "# HELP memcached_exporter_targets ",
        "# HELP process_cpu_seconds_total ",
    };
    const char *at = text;
    for (size_t n = 0; n < ARRAY_LEN(parts); n++) {
        at = strstr(at, parts[n]);
        if (!at) fail_msg("no %s, or not in its place, in:\n%s", parts[n], text);
    }
    free(text);
    unlink(path);
}

/* Each by itself, and no other; its families are those of the collector that is registered for it. */
static void test_own_collectors_one_by_one(void **state)
{
    struct gather_world *world = *state;
    char path[] = "/tmp/test_gather_XXXXXX";
    int file = mkstemp(path);
    assert_true(dprintf(file, "%ld\n", (long) getpid()) > 0);
    close(file);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        struct scrape_request *request = gather_world_request(world);
        request->own_collectors = OWN_BIT(own);
        request->pid_file = path;
        gather_world_run(world);
        char *text = drain(world, 4096);
        /* There is no manager here that could tell anything, and no server is watched. */
        assert_int_equal(expect_families_of(text, own_collector(own)) > 0,
                         own != OWN_TARGETS && own != OWN_WATCH);
        free(text);
    }
    unlink(path);
}

/* Those that tell of servers, which no option turns off. */
#define OF_SERVERS (OWN_BIT(OWN_MEMCACHED_PROCESS) | OWN_BIT(OWN_WATCH))

static void test_own_collectors_of_the_options(void **state)
{
    struct options options = {.collect_build = true, .collect_telemetry = true, .collect_process = true};
    (void) state;
    assert_int_equal(own_collectors(&options), OWN_ALL);
    options.collect_build = false;
    assert_int_equal(own_collectors(&options), OWN_ALL & ~OWN_BIT(OWN_BUILD));
    options.collect_telemetry = false;
    assert_int_equal(own_collectors(&options), OF_SERVERS | OWN_BIT(OWN_PROCESS));
    options.collect_process = false;
    assert_int_equal(own_collectors(&options), OF_SERVERS);
    options.collect_build = options.collect_telemetry = options.collect_process = true;
    options.disable_exporter_metrics = true;
    assert_int_equal(own_collectors(&options), OF_SERVERS);
}

static void test_pid_file_that_says_nothing(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    request->own_collectors = OWN_BIT(OWN_MEMCACHED_PROCESS);
    request->pid_file = "/proc/self/nothing";
    gather_world_run(world);
    char *text = drain(world, 4096);
    assert_string_equal(text, "");
    free(text);
    request = gather_world_request(world);
    request->own_collectors = OWN_BIT(OWN_MEMCACHED_PROCESS);
    request->pid_file = "";
    gather_world_run(world);
    text = drain(world, 4096);
    assert_string_equal(text, "");
    free(text);
}

/* The collection itself is in the numbers that it gives out. */
static void test_telemetry_is_told(void **state)
{
    struct gather_world *world = *state;
    struct telemetry *telemetry = &world->fleet.telemetry;
    struct scrape_request *request = gather_world_request(world);
    request->own_collectors = OWN_ALL;
    world_add_server(&world->fleet, 0);
    gather_world_run(world);
    char *text = drain(world, 4096);
    expect_line(text, "memcached_exporter_scrapes_total{result=\"complete\"} 1");
    expect_line(text, "memcached_exporter_scrape_duration_seconds_count 1");
    expect_line(text, "memcached_exporter_target_scrapes_total{state=\"up\"} 1");
    free(text);
    world_add_dead(&world->fleet);
    request = gather_world_request(world);
    gather_world_run(world);
    free(drain(world, 4096));
    assert_int_equal(telemetry->results[SCRAPE_COMPLETE], 1);
    assert_int_equal(telemetry->results[SCRAPE_PARTIAL], 1);
    assert_int_equal(telemetry->results[SCRAPE_DOWN], 0);
}

static void test_no_targets(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    request->format = FORMAT_OPENMETRICS;
    gather_world_run(world);
    assert_int_equal(world->gather->up, 0);
    assert_int_equal(world->gather->targets, 0);
    char *text = drain(world, 4096);
    assert_string_equal(text, "# EOF\n");
    free(text);
}

/* The same gather in other forms, one after the other and at once; a request of its own says which. */
static void test_one_gather_in_two_forms(void **state)
{
    struct gather_world *world = *state;
    gather_world_request(world);
    world_add_server(&world->fleet, 0);
    gather_world_run(world);
    struct scrape_request *other = scrape_request_new();
    assert_non_null(other);
    other->format = FORMAT_OPENMETRICS;
    other->commands = WORLD_COMMANDS;
    set_names(other, "memcached_up", sizeof("memcached_up"));
    struct producer *second = expose(world->gather, other, NULL, NULL);
    assert_non_null(second);
    scrape_request_release(other);
    char *first = drain(world, 4096);
    expect_line(first, "memcached_current_items 5");
    free(first);
    struct buffer out;
    buffer_init(&out, EXPOSITION_MAX);
    assert_false(second->fill(second, &out, EXPOSITION_MAX));
    buffer_append_char(&out, '\0');
    assert_int_equal(exposition_count(out.data, "# HELP "), 1);
    expect_line(out.data, "memcached_up 1");
    expect_line(out.data, "# EOF");
    buffer_deinit(&out);
    second->release(second);
    assert_int_equal(world->fleet.servers[0].requests, 1);
}

/* A gather that asks nobody leaves the exporter's own metrics. */
static void test_gather_of_nothing(void **state)
{
    struct gather_world *world = *state;
    struct scrape_request *request = gather_world_request(world);
    request->own_collectors = OWN_ALL;
    world_add_server(&world->fleet, 0);
    world->target_set.targets = world->fleet.targets;
    world->gather = gather_nothing(request, &world->fleet.telemetry);
    assert_non_null(world->gather);
    char *text = drain(world, 4096);
    assert_null(strstr(text, "memcached_up"));
    expect_line(text, "memcached_exporter_scrapes_total{result=\"complete\"} 0");
    free(text);
    assert_int_equal(world->fleet.servers[0].requests, 0);
}

/* --- What cannot be in time --- */

/* So that the time for `bytes` records is left, at a pace that is known. */
static void set_deadline(struct gather_world *world, size_t bytes)
{
    static const uint64_t left_ns = UINT64_C(3600000000000);
    world->fleet.telemetry.pace.ns_per_byte[0] = bytes ? (double) left_ns / (double) bytes : 1e18;
    world->request->deadline_ns = uv_hrtime() + left_ns;
}

/* Whole servers are left out, which stay up; no line is cut. */
static void test_cut_at_servers(void **state)
{
    struct gather_world *world = *state;
    for (size_t n = 0; n < WORLD_SERVERS; n++) world_add_server(&world->fleet, n);
    for (size_t fit = 0; fit <= WORLD_SERVERS; fit++) {
        gather_world_request(world)->with_labels = true;
        gather_world_run(world);
        size_t size = fan_out_snapshot(world->gather->fan_out, 0)->records_len;
        size_t stats = fan_out_snapshot(world->gather->fan_out, 0)->count;
        set_deadline(world, fit * size + size / 2);
        char *text = drain(world, 4096);
        assert_int_equal(exposition_count(text, "memcached_up{"), WORLD_SERVERS);
        assert_int_equal(exposition_count(text, "memcached_current_items{"), fit);
        assert_int_equal(exposition_count(text, "memcached_target_truncated{"), WORLD_SERVERS);
        for (size_t n = 0; n < WORLD_SERVERS; n++) {
            char line[128];
            size_t left_out = n < fit ? 0 : stats;
            snprintf(line, sizeof(line), "memcached_target_truncated{instance=\"%s\"} %zu",
                     world->fleet.targets.items[n]->name, left_out);
            expect_line(text, line);
        }
        assert_int_equal(text[strlen(text) - 1], '\n');
        free(text);
    }
}

/* An end that has passed leaves what the exporter itself knows. */
static void test_no_time_at_all(void **state)
{
    struct gather_world *world = *state;
    world_add_server(&world->fleet, 0);
    gather_world_request(world);
    gather_world_run(world);
    world->request->deadline_ns = 1;
    char *text = drain(world, 4096);
    expect_line(text, "memcached_up 1");
    assert_int_equal(exposition_count(text, "memcached_current_items"), 0);
    assert_int_equal(exposition_count(text, "memcached_target_truncated 0"), 0);
    assert_int_equal(exposition_count(text, "memcached_target_truncated "), 1);
    free(text);
}

/* --- Ends in the middle --- */

static void test_released_before_the_last_piece(void **state)
{
    struct gather_world *world = *state;
    world_add_server(&world->fleet, 0);
    for (unsigned pieces = 0; pieces < 4; pieces++) {
        gather_world_request(world);
        struct buffer piece;
        buffer_init(&piece, 1 << 20);
        gather_world_run(world);
        struct producer *producer = make_producer(world);
        for (unsigned n = 0; n < pieces; n++) assert_true(producer->fill(producer, &piece, piece.len + 1));
        producer->release(producer);
        assert_true(world->ended);
        buffer_deinit(&piece);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, gather_world_setup, gather_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_target),
        TEST(test_several_targets_with_labels),
        TEST(test_pieces),
        TEST(test_with_the_exporter),
        TEST(test_own_collectors_one_by_one),
        TEST(test_own_collectors_of_the_options),
        TEST(test_pid_file_that_says_nothing),
        TEST(test_telemetry_is_told),
        TEST(test_no_targets),
        TEST(test_one_gather_in_two_forms),
        TEST(test_gather_of_nothing),
        TEST(test_cut_at_servers),
        TEST(test_no_time_at_all),
        TEST(test_released_before_the_last_piece),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
