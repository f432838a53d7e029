/* From the start to the release: what comes out, who is told, and ends at every moment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "exposition.h"
#include "fleet_world.h"
#include "gather/gather.h"

#include <unistd.h>

struct fixture {
    struct fleet_world world;
    struct target_set target_set; /* of the world's targets; stays in this memory */
    struct gather *gather;
    bool ready, ended;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture) return -1;
    fleet_world_open(&fixture->world);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    fleet_world_close(&fixture->world);
    free(fixture);
    return 0;
}

/* Runs once, while nothing has ended. */
static void on_ready(void *context)
{
    struct fixture *fixture = context;
    assert_false(fixture->ready || fixture->ended);
    fixture->ready = true;
}

static void on_end(void *context)
{
    struct fixture *fixture = context;
    assert_false(fixture->ended);
    fixture->ended = true;
}

static struct gather_plan make_plan(struct fixture *fixture)
{
    fixture->target_set.references = 2; /* the plan's, and one that keeps it in this memory */
    return (struct gather_plan){
        .fleet = fixture->world.fleet,
        .target_set = &fixture->target_set,
        .telemetry = &fixture->world.telemetry,
        .commands = WORLD_COMMANDS,
        .timeout_ms = 5000,
        .on_ready = on_ready,
        .on_end = on_end,
        .context = fixture,
    };
}

static void start(struct fixture *fixture, struct gather_plan *plan)
{
    fixture->ready = fixture->ended = false;
    if (plan->target_set) plan->target_set->targets = fixture->world.targets;
    assert_int_equal(gather_start(&fixture->gather, plan), 0);
    assert_false(fixture->ready);
}

static void run(struct fixture *fixture, struct gather_plan *plan)
{
    start(fixture, plan);
    loop_run_until(&fixture->world.loop, &fixture->ready);
    assert_false(fixture->ended);
}

/* The whole text, taken in pieces of that size, as a string that the caller frees. The collection is over
 * then. */
static char *drain(struct fixture *fixture, size_t want)
{
    struct source *source = gather_source(fixture->gather);
    struct buffer out, piece;
    bool more = true;
    buffer_init(&out, EXPOSITION_MAX);
    buffer_init(&piece, EXPOSITION_MAX);
    for (unsigned pieces = 0; more && pieces < 100000; pieces++) {
        buffer_clear(&piece);
        more = source->fill(source, &piece, want);
        if (more) assert_true(piece.len > 0);
        assert_false(piece.failed);
        buffer_append_slice(&out, buffer_slice(&piece));
    }
    assert_false(more);
    assert_false(fixture->ended);
    source->release(source);
    assert_true(fixture->ended);
    buffer_deinit(&piece);
    buffer_append_char(&out, '\0');
    return out.data;
}

static void set_names(struct gather_plan *plan, const char *names, size_t size)
{
    buffer_init(&plan->names, 4096);
    buffer_append(&plan->names, names, size);
}

/* --- What comes out --- */

static void test_one_target(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    world_add_server(&fixture->world, 0);
    run(fixture, &plan);
    assert_int_equal(gather_targets(fixture->gather), 1);
    assert_int_equal(gather_up(fixture->gather), 1);
    char *text = drain(fixture, 65536);
    assert_true(slice_starts(slice_of(text), "# HELP memcached_up "));
    expect_line(text, "memcached_up 1");
    expect_line(text, "memcached_current_items 5");
    assert_null(strstr(text, "# HELP memcached_exporter_"));
    assert_null(strstr(text, "process_resident_memory_bytes"));
    assert_null(strstr(text, "# EOF"));
    free(text);
}

/* Each server is asked by exactly one of the shards. */
static void test_shards(void **state)
{
    struct fixture *fixture = *state;
    size_t targets = 0;
    for (size_t n = 0; n < WORLD_SERVERS; n++) world_add_server(&fixture->world, n);
    for (unsigned index = 0; index < 2; index++) {
        struct gather_plan plan = make_plan(fixture);
        plan.shard = (struct shard){index, 2};
        run(fixture, &plan);
        targets += gather_targets(fixture->gather);
        assert_int_equal(gather_up(fixture->gather), gather_targets(fixture->gather));
        free(drain(fixture, 65536));
    }
    assert_int_equal(targets, WORLD_SERVERS);
    for (size_t n = 0; n < WORLD_SERVERS; n++) assert_int_equal(fixture->world.servers[n].requests, 1);
}

static void test_only_target(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned count = 0; count < 3; count++) {
        struct gather_plan plan = make_plan(fixture);
        if (count) world_add_server(&fixture->world, count);
        run(fixture, &plan);
        const struct snapshot *only = gather_only(fixture->gather);
        assert_int_equal(only != NULL, count == 1);
        if (only) assert_int_equal(only->state, TARGET_UP);
        free(drain(fixture, 65536));
    }
}

static void test_several_targets_with_labels(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    char line[128];
    plan.with_labels = true;
    plan.format = FORMAT_OPENMETRICS;
    world_add_server(&fixture->world, 0);
    world_add_server(&fixture->world, 1);
    world_add_dead(&fixture->world);
    run(fixture, &plan);
    assert_int_equal(gather_targets(fixture->gather), 3);
    assert_int_equal(gather_up(fixture->gather), 2);
    char *text = drain(fixture, 65536);
    for (size_t n = 0; n < 3; n++) {
        snprintf(line, sizeof(line), "memcached_up{instance=\"%s\"} %d",
                 fixture->world.targets.items[n]->name, n < 2);
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
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    world_add_server(&fixture->world, 0);
    world_add_server(&fixture->world, 1);
    world_add_dead(&fixture->world);
    plan.with_labels = true;
    set_names(&plan, names, sizeof(names));
    run(fixture, &plan);
    char *whole = drain(fixture, 1 << 20);
    assert_int_equal(exposition_count(whole, "# HELP "), 3);
    for (size_t n = 0; n < ARRAY_LEN(wants); n++) {
        plan = make_plan(fixture);
        plan.with_labels = true;
        set_names(&plan, names, sizeof(names));
        run(fixture, &plan);
        char *text = drain(fixture, wants[n]);
        assert_string_equal(text, whole);
        free(text);
    }
    free(whole);
}

/* The servers first, then the memcached of the pid file, the build, the exporter's work, its process. */
static void test_with_the_exporter(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    char path[] = "/tmp/test_gather_XXXXXX";
    int file = mkstemp(path);
    assert_true(dprintf(file, "%ld\n", (long) getpid()) > 0);
    close(file);
    world_add_server(&fixture->world, 0);
    plan.own_collectors = OWN_ALL;
    plan.pid_file = path;
    run(fixture, &plan);
    char *text = drain(fixture, 4096);
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
    struct fixture *fixture = *state;
    char path[] = "/tmp/test_gather_XXXXXX";
    int file = mkstemp(path);
    assert_true(dprintf(file, "%ld\n", (long) getpid()) > 0);
    close(file);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        struct gather_plan plan = make_plan(fixture);
        plan.own_collectors = OWN_BIT(own);
        plan.pid_file = path;
        run(fixture, &plan);
        char *text = drain(fixture, 4096);
        /* There is no manager here that could tell anything. */
        assert_int_equal(expect_families_of(text, own_collector(own)) > 0, own != OWN_TARGETS);
        free(text);
    }
    unlink(path);
}

static void test_own_collectors_of_the_options(void **state)
{
    struct options options = {.collect_build = true, .collect_telemetry = true, .collect_process = true};
    (void) state;
    assert_int_equal(own_collectors(&options), OWN_ALL);
    options.collect_build = false;
    assert_int_equal(own_collectors(&options), OWN_ALL & ~OWN_BIT(OWN_BUILD));
    options.collect_telemetry = false;
    assert_int_equal(own_collectors(&options), OWN_BIT(OWN_MEMCACHED_PROCESS) | OWN_BIT(OWN_PROCESS));
    options.collect_process = false;
    assert_int_equal(own_collectors(&options), OWN_BIT(OWN_MEMCACHED_PROCESS));
    options.collect_build = options.collect_telemetry = options.collect_process = true;
    options.disable_exporter_metrics = true;
    assert_int_equal(own_collectors(&options), OWN_BIT(OWN_MEMCACHED_PROCESS));
}

static void test_pid_file_that_says_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    plan.own_collectors = OWN_BIT(OWN_MEMCACHED_PROCESS);
    plan.pid_file = "/proc/self/nothing";
    run(fixture, &plan);
    char *text = drain(fixture, 4096);
    assert_string_equal(text, "");
    free(text);
    plan = make_plan(fixture);
    plan.own_collectors = OWN_BIT(OWN_MEMCACHED_PROCESS);
    plan.pid_file = "";
    run(fixture, &plan);
    text = drain(fixture, 4096);
    assert_string_equal(text, "");
    free(text);
}

/* The collection itself is in the numbers that it gives out. */
static void test_telemetry_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct telemetry *telemetry = &fixture->world.telemetry;
    struct gather_plan plan = make_plan(fixture);
    plan.own_collectors = OWN_ALL;
    world_add_server(&fixture->world, 0);
    run(fixture, &plan);
    char *text = drain(fixture, 4096);
    expect_line(text, "memcached_exporter_scrapes_total{result=\"complete\"} 1");
    expect_line(text, "memcached_exporter_scrape_duration_seconds_count 1");
    expect_line(text, "memcached_exporter_target_scrapes_total{state=\"up\"} 1");
    free(text);
    world_add_dead(&fixture->world);
    plan = make_plan(fixture);
    run(fixture, &plan);
    free(drain(fixture, 4096));
    assert_int_equal(telemetry->results[SCRAPE_COMPLETE], 1);
    assert_int_equal(telemetry->results[SCRAPE_PARTIAL], 1);
    assert_int_equal(telemetry->results[SCRAPE_DOWN], 0);
}

static void test_deadline(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    plan.timeout_ms = 60;
    fixture->world.servers[0].reply = NULL;
    world_add_server(&fixture->world, 0);
    uint64_t started_ns = uv_hrtime();
    run(fixture, &plan);
    assert_true(uv_hrtime() - started_ns >= 50 * 1000000ull);
    assert_int_equal(gather_up(fixture->gather), 0);
    char *text = drain(fixture, 4096);
    expect_line(text, "memcached_up 0");
    expect_line(text, "memcached_target_state{memcached_target_state=\"timeout\"} 1");
    assert_int_equal(fixture->world.telemetry.results[SCRAPE_DOWN], 1);
    free(text);
}

static void test_no_targets(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    plan.format = FORMAT_OPENMETRICS;
    run(fixture, &plan);
    assert_int_equal(gather_up(fixture->gather), 0);
    assert_int_equal(gather_targets(fixture->gather), 0);
    char *text = drain(fixture, 4096);
    assert_string_equal(text, "# EOF\n");
    free(text);
}

/* --- Whose what is --- */

static void move_targets(struct fixture *fixture, struct gather_plan *plan)
{
    target_set_release(plan->target_set);
    plan->target_set = NULL;
    plan->own = fixture->world.targets;
    fixture->world.targets = (struct target_list){0};
}

/* Moved targets and names go with the collection: the fleet could not be closed with a target left. */
static void test_own_targets(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned n = 0; n < 3; n++) {
        struct gather_plan plan = make_plan(fixture);
        world_add_server(&fixture->world, 0);
        move_targets(fixture, &plan);
        set_names(&plan, "memcached_up", sizeof("memcached_up"));
        if (n == 0) {
            gather_plan_clear(&plan);
            assert_int_equal(plan.own.count, 0);
            continue;
        }
        run(fixture, &plan);
        assert_int_equal(gather_targets(fixture->gather), 1);
        char *text = drain(fixture, 4096);
        assert_int_equal(exposition_count(text, "# HELP "), 1);
        expect_line(text, "memcached_up 1");
        free(text);
    }
}

static void test_nobody_asks_for_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct gather_plan plan = make_plan(fixture);
    plan.on_end = NULL;
    run(fixture, &plan);
    struct source *source = gather_source(fixture->gather);
    source->release(source);
    plan = make_plan(fixture);
    plan.on_end = NULL;
    start(fixture, &plan);
    gather_cancel(fixture->gather);
}

/* --- Ends in the middle --- */

static void test_released_before_the_last_piece(void **state)
{
    struct fixture *fixture = *state;
    world_add_server(&fixture->world, 0);
    for (unsigned pieces = 0; pieces < 4; pieces++) {
        struct gather_plan plan = make_plan(fixture);
        struct buffer piece;
        buffer_init(&piece, 1 << 20);
        run(fixture, &plan);
        struct source *source = gather_source(fixture->gather);
        for (unsigned n = 0; n < pieces; n++) assert_true(source->fill(source, &piece, piece.len + 1));
        source->release(source);
        assert_true(fixture->ended);
        buffer_deinit(&piece);
    }
}

/* Cancelled after so many turns: told of the end at once, and never of being ready. */
static void test_cancelled_at_every_turn(void **state)
{
    struct fixture *fixture = *state;
    unsigned cancelled = 0;
    world_add_server(&fixture->world, 0);
    world_add_dead(&fixture->world);
    for (unsigned turns = 0; turns < 12; turns++) {
        struct gather_plan plan = make_plan(fixture);
        start(fixture, &plan);
        fake_server_drop(&fixture->world.servers[0]);
        loop_turn(&fixture->world.loop, turns);
        if (fixture->ready) {
            free(drain(fixture, 4096));
            continue;
        }
        gather_cancel(fixture->gather);
        cancelled++;
        assert_true(fixture->ended);
        loop_run_for(&fixture->world.loop, 10);
        assert_false(fixture->ready);
    }
    assert_true(cancelled > 1);
}

/* The same with targets of its own, which go with it. */
static void test_cancelled_with_own_targets(void **state)
{
    struct fixture *fixture = *state;
    for (unsigned turns = 0; turns < 6; turns++) {
        struct gather_plan plan = make_plan(fixture);
        world_add_server(&fixture->world, 1);
        world_add_dead(&fixture->world);
        move_targets(fixture, &plan);
        fixture->world.servers[1].reply = NULL;
        set_names(&plan, "x", 2);
        start(fixture, &plan);
        loop_turn(&fixture->world.loop, turns);
        assert_false(fixture->ready);
        gather_cancel(fixture->gather);
        assert_true(fixture->ended);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_one_target),
        TEST(test_shards),
        TEST(test_only_target),
        TEST(test_several_targets_with_labels),
        TEST(test_pieces),
        TEST(test_with_the_exporter),
        TEST(test_own_collectors_one_by_one),
        TEST(test_own_collectors_of_the_options),
        TEST(test_pid_file_that_says_nothing),
        TEST(test_telemetry_is_told),
        TEST(test_deadline),
        TEST(test_no_targets),
        TEST(test_own_targets),
        TEST(test_nobody_asks_for_the_end),
        TEST(test_released_before_the_last_piece),
        TEST(test_cancelled_at_every_turn),
        TEST(test_cancelled_with_own_targets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
