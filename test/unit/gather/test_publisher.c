/* The textfile, the push and --once: what is written when, what is counted, and ends at any time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "publisher_world.h"

/* --- The textfile --- */

static void test_nothing_to_deliver(void **state)
{
    struct publisher_world *world = *state;
    publisher_world_start(world);
    loop_run_for(&world->fleet.loop, 30);
    publisher_world_stop(world);
    assert_int_equal(world->fleet.telemetry.results[SCRAPE_COMPLETE], 0);
    assert_int_equal(publisher_world_writes(world), 0);
}

/* At once, and then again and again, with what is new. */
static void test_textfile_at_intervals(void **state)
{
    struct publisher_world *world = *state;
    world_add_server(&world->fleet, 0);
    world->options.textfile = world->path;
    publisher_world_start(world);
    publisher_world_run(world, 1);
    char *text = publisher_world_file(world);
    expect_line(text, "memcached_up 1");
    expect_line(text, "memcached_exporter_output_writes_total{output=\"textfile\"} 0");
    expect_line(text, "memcached_exporter_scrapes_total{result=\"complete\"} 1");
    /* node_exporter has these of its own. */
    assert_null(strstr(text, "# HELP process_"));
    free(text);

    uint64_t started_ns = uv_hrtime();
    publisher_world_run(world, 4);
    assert_true(uv_hrtime() - started_ns >= 2 * INTERVAL_MS * 1000000ull);
    text = publisher_world_file(world);
    expect_line(text, "memcached_exporter_output_writes_total{output=\"textfile\"} 3");
    expect_line(text, "memcached_exporter_output_failures_total{output=\"textfile\"} 0");
    free(text);
    publisher_world_stop(world);
    assert_int_equal(world->once, 0);
}

static void test_several_targets_have_labels(void **state)
{
    struct publisher_world *world = *state;
    char line[128];
    world_add_server(&world->fleet, 0);
    world_add_dead(&world->fleet);
    world->options.textfile = world->path;
    world->options.disable_exporter_metrics = true;
    publisher_world_start(world);
    publisher_world_run(world, 1);
    char *text = publisher_world_file(world);
    snprintf(line, sizeof(line), "memcached_up{instance=\"%s\"} 1", world->fleet.targets.items[0]->name);
    expect_line(text, line);
    expect_line(text, "memcached_up{instance=\"127.0.0.1:1\"} 0");
    assert_null(strstr(text, "memcached_exporter_"));
    free(text);
    publisher_world_stop(world);
}

/* A tick that finds the last collection under way is skipped: a silent server costs one, not many. */
static void test_ticks_are_skipped(void **state)
{
    struct publisher_world *world = *state;
    world_add_server(&world->fleet, 0);
    world->fleet.servers[0].reply = NULL;
    world->options.textfile = world->path;
    world->options.timeout_ns = 10 * INTERVAL_MS * 1000000ull;
    publisher_world_start(world);
    loop_run_for(&world->fleet.loop, 5 * INTERVAL_MS);
    assert_int_equal(world->fleet.servers[0].requests, 1);
    assert_int_equal(publisher_world_writes(world), 0);
    publisher_world_run(world, 1);
    assert_int_equal(world->fleet.telemetry.results[SCRAPE_DOWN], 1);
    publisher_world_stop(world);
}

/* Failures are counted, each of them; the log hears of the first and of the recovery. */
static void test_folder_that_comes_later(void **state)
{
    struct publisher_world *world = *state;
    char path[160], folder[128];
    snprintf(folder, sizeof(folder), "%s/later", world->folder);
    snprintf(path, sizeof(path), "%s/fleet.prom", folder);
    world->options.textfile = path;
    world_add_server(&world->fleet, 0);
    publisher_world_start(world);
    publisher_world_run(world, 3);
    uint64_t failures = world->fleet.telemetry.file_failures;
    assert_true(failures >= 3);
    assert_int_equal(failures, publisher_world_writes(world));
    assert_int_equal(publisher_world_logged(world, "the textfile cannot be written"), 1);
    assert_int_equal(publisher_world_logged(world, "writing the textfile works again"), 0);

    assert_int_equal(mkdir(folder, 0700), 0);
    publisher_world_run(world, failures + 4);
    /* One that was under way may have come too early. */
    assert_true(world->fleet.telemetry.file_failures <= failures + 1);
    assert_int_equal(publisher_world_logged(world, "the textfile cannot be written"), 1);
    assert_int_equal(publisher_world_logged(world, "writing the textfile works again"), 1);
    publisher_world_stop(world);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

/* --- Once --- */

/* Runs --once over so many targets that are up and down; returns the exit code. */
static int run_once(struct publisher_world *world, size_t up, size_t down)
{
    target_list_clear(&world->fleet.targets);
    for (size_t n = 0; n < up; n++) world_add_server(&world->fleet, n);
    if (down) world_add_dead(&world->fleet);
    if (down > 1) world_add(&world->fleet, "127.0.0.1:2");
    world->options.once = true;
    world->once = 0;
    publisher_world_start(world);
    loop_run_until_count(&world->fleet.loop, &world->once, 1);
    loop_run_until(&world->fleet.loop, &world->closed);
    loop_run_for(&world->fleet.loop, 2 * INTERVAL_MS);
    assert_int_equal(world->once, 1);
    return world->code;
}

static const struct {
    size_t up, down;
    int code;
} outcomes[] = {
    {1, 0, 0}, {3, 0, 0}, {0, 0, 0}, {1, 1, 3}, {2, 2, 3}, {0, 1, 4}, {0, 2, 4},
};

/* A shard without servers is a mistake of whoever divides the fleet, or a fleet that is too small. */
static void test_once_on_an_empty_shard(void **state)
{
    struct publisher_world *world = *state;
    world->options.textfile = world->path;
    world->target_set.elsewhere = 3;
    assert_int_equal(run_once(world, 0, 0), 4);
    assert_int_equal(run_once(world, 1, 0), 0);
}

/* The owner closes from the callback. */
static void test_once_to_a_file(void **state)
{
    struct publisher_world *world = *state;
    world->options.textfile = world->path;
    for (size_t n = 0; n < ARRAY_LEN(outcomes); n++) {
        assert_int_equal(run_once(world, outcomes[n].up, outcomes[n].down), outcomes[n].code);
        assert_int_equal(publisher_world_writes(world), n + 1);
        char *text = publisher_world_file(world);
        assert_int_equal(exposition_count(text, "memcached_up"), outcomes[n].up + outcomes[n].down);
        free(text);
        unlink(world->path);
    }
    assert_int_equal(world->fleet.telemetry.file_failures, 0);
}

/* Whatever the targets are, what cannot be written has failed. */
static void test_once_to_no_folder(void **state)
{
    struct publisher_world *world = *state;
    char path[] = "/nothing/here.prom";
    world->options.textfile = path;
    assert_int_equal(run_once(world, 1, 0), 1);
    assert_int_equal(run_once(world, 0, 1), 1);
    assert_int_equal(publisher_world_writes(world), 2);
    assert_int_equal(world->fleet.telemetry.file_failures, 2);
    assert_int_equal(publisher_world_logged(world, "the textfile cannot be written"), 2);
}

/* Standard output leads to that file meanwhile. */
static int run_once_into(struct publisher_world *world, const char *path, size_t up, size_t down)
{
    fflush(stdout);
    int kept = dup(STDOUT_FILENO), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0);
    dup2(file, STDOUT_FILENO);
    int code = run_once(world, up, down);
    dup2(kept, STDOUT_FILENO);
    close(file);
    close(kept);
    return code;
}

static void test_once_to_standard_output(void **state)
{
    struct publisher_world *world = *state;
    for (size_t n = 0; n < ARRAY_LEN(outcomes); n++) {
        int code = run_once_into(world, world->path, outcomes[n].up, outcomes[n].down);
        assert_int_equal(code, outcomes[n].code);
        char *text = publisher_world_file(world);
        assert_int_equal(exposition_count(text, "memcached_up"), outcomes[n].up + outcomes[n].down);
        assert_non_null(strstr(text, "# HELP process_open_fds "));
        assert_int_equal(text[strlen(text) - 1], '\n');
        free(text);
    }
    assert_int_equal(publisher_world_writes(world), 0);
    unlink(world->path);
}

static void test_once_to_a_full_disk(void **state)
{
    struct publisher_world *world = *state;
    assert_int_equal(run_once_into(world, "/dev/full", 1, 0), 1);
    assert_int_equal(publisher_world_logged(world, "cannot write to standard output"), 1);
}

/* --- Ends --- */

/* Closed after so many turns, in the middle of collecting, of writing, or between two. */
static void test_closed_at_every_turn(void **state)
{
    struct publisher_world *world = *state;
    world_add_server(&world->fleet, 0);
    world_add_dead(&world->fleet);
    world->options.textfile = world->path;
    for (unsigned turns = 0; turns < 40; turns++) {
        uint64_t writes = publisher_world_writes(world);
        publisher_world_start(world);
        for (unsigned n = 0; n < turns; n++) {
            loop_turn(&world->fleet.loop, 1);
            usleep(200);
        }
        bool written = publisher_world_writes(world) > writes;
        publisher_world_stop(world);
        writes = publisher_world_writes(world);
        loop_run_for(&world->fleet.loop, 5);
        assert_int_equal(publisher_world_writes(world), writes);
        size_t files = publisher_world_files(world);
        assert_true(files <= 1 && (files == 1 || !written));
        unlink(world->path);
    }
}

/* The same with --once: closed before its end, nobody hears of a code. */
static void test_once_is_closed_at_every_turn(void **state)
{
    struct publisher_world *world = *state;
    world_add_server(&world->fleet, 0);
    world->fleet.servers[0].reply = NULL;
    world->options.textfile = world->path;
    world->options.once = true;
    for (unsigned turns = 0; turns < 10; turns++) {
        publisher_world_start(world);
        loop_turn(&world->fleet.loop, turns);
        publisher_world_stop(world);
    }
    assert_int_equal(world->once, 0);
    assert_int_equal(publisher_world_files(world), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, publisher_world_setup, publisher_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_nothing_to_deliver),
        TEST(test_textfile_at_intervals),
        TEST(test_several_targets_have_labels),
        TEST(test_ticks_are_skipped),
        TEST(test_folder_that_comes_later),
        TEST(test_once_on_an_empty_shard),
        TEST(test_once_to_a_file),
        TEST(test_once_to_no_folder),
        TEST(test_once_to_standard_output),
        TEST(test_once_to_a_full_disk),
        TEST(test_closed_at_every_turn),
        TEST(test_once_is_closed_at_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
