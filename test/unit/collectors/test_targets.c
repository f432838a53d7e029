/* What is told of the file, of the sources and of the targets that are left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "collectors/targets.h"
#include "exposition.h"
#include "manager_world.h"

#include "directory.h"

#define PREFIX "memcached_exporter_"

static int setup(void **state)
{
    struct manager_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    directory_open();
    manager_world_open(world, (const char *const[]){"--memcached.address=", NULL});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    manager_world_close(*state);
    directory_close();
    free(*state);
    return 0;
}

static char *tell(struct manager_world *world, const struct reload_state *reload)
{
    struct manager_walk walk;
    manager_walk_init(&walk, world->manager, reload);
    return exposition_text(FORMAT_TEXT, (struct walk *const[]){&walk.walk}, 1);
}

static void test_without_a_file(void **state)
{
    struct reload_state reload = {true, 5};
    char *text = tell(*state, &reload);
    assert_int_equal(exposition_count(text, PREFIX "config_"), 0);
    assert_int_equal(exposition_count(text, PREFIX "discovery_"), 0);
    expect_line(text, PREFIX "targets_dropped{reason=\"duplicate\"} 0");
    expect_line(text, PREFIX "targets_dropped{reason=\"label\"} 0");
    free(text);
}

static void test_file(void **state)
{
    struct manager_world *world = *state;
    struct reload_state reload = {true, 1795281498.25};
    char line[128];
    manager_world_set(world, "groups: [{name: a, targets: [h:1]}]");
    snprintf(line, sizeof(line), PREFIX "config_info{hash=\"%s\"} 1",
             manager_generation(world->manager)->config->hash);
    char *text = tell(world, &reload);
    expect_line(text, PREFIX "config_last_reload_successful 1");
    expect_line(text, PREFIX "config_last_reload_success_timestamp_seconds 1795281498.25");
    expect_line(text, line);
    free(text);
    reload.successful = false;
    text = tell(world, &reload);
    expect_line(text, PREFIX "config_last_reload_successful 0");
    free(text);
    text = tell(world, NULL);
    assert_int_equal(exposition_count(text, PREFIX "config_"), 0);
    free(text);
}

static void test_dropped(void **state)
{
    struct manager_world *world = *state;
    char text[1024];
    write_file(
        "a.json",
        "[{\"targets\":[\"h:1\",\"h:2\",\"h:2\"]},{\"targets\":[\"h:3\"],\"labels\":{\"slab\":\"1\"}}]");
    snprintf(text, sizeof(text), "groups: [{name: a, targets: [h:1], file_sd: {files: ['%s/*.json']}}]",
             directory);
    manager_world_set(world, text);
    char *told = tell(world, NULL);
    expect_line(told, PREFIX "targets_dropped{reason=\"duplicate\"} 2");
    expect_line(told, PREFIX "targets_dropped{reason=\"label\"} 1");
    free(told);
}

/* Two groups, and a source that is named twice in one of them: no series comes twice. */
static void test_sources(void **state)
{
    struct manager_world *world = *state;
    char text[2048], series[1024];
    const char *files = path_of("*.json"), *none = path_of("none/*.json");
    write_file("a.json", "[{\"targets\":[\"h:1\",\"h:2\"]}]");
    snprintf(text, sizeof(text),
             "groups:\n"
             "  - {name: a, file_sd: [{files: ['%s']}, {files: ['%s']}, {files: ['%s'], refresh: 60s}]}\n"
             "  - {name: b, file_sd: {files: ['%s']}}\n",
             files, none, files, files);
    manager_world_set(world, text);
    char *told = tell(world, NULL);
    snprintf(series, sizeof(series), PREFIX "discovery_targets{group=\"a\",kind=\"file_sd\",source=\"%s\"}",
             files);
    assert_true(value_of(told, series) == 2);
    snprintf(series, sizeof(series), PREFIX "discovery_targets{group=\"a\",kind=\"file_sd\",source=\"%s#2\"}",
             files);
    assert_true(value_of(told, series) == 2);
    snprintf(series, sizeof(series), PREFIX "discovery_targets{group=\"b\",kind=\"file_sd\",source=\"%s\"}",
             files);
    assert_true(value_of(told, series) == 2);
    snprintf(series, sizeof(series), PREFIX "discovery_targets{group=\"a\",kind=\"file_sd\",source=\"%s\"}",
             none);
    assert_true(value_of(told, series) == 0);
    snprintf(series, sizeof(series), PREFIX "discovery_empty{group=\"a\",kind=\"file_sd\",source=\"%s\"}",
             files);
    assert_true(value_of(told, series) == 0);
    snprintf(series, sizeof(series), PREFIX "discovery_empty{group=\"a\",kind=\"file_sd\",source=\"%s\"}",
             none);
    assert_true(value_of(told, series) == 1);
    static const char *const names[] = {"targets", "empty", "refreshes_total", "failures_total",
                                        "last_success_timestamp_seconds"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        snprintf(series, sizeof(series), PREFIX "discovery_%s{", names[n]);
        assert_int_equal(exposition_count(told, series), 4);
    }
    free(told);
}

/* Each number is its source's own. */
static void test_numbers(void **state)
{
    struct manager_world *world = *state;
    char text[1024], series[512];
    write_file("a.json", "[{\"targets\":[\"h:1\",\"h:2\",\"h:3\"]}]");
    snprintf(text, sizeof(text), "groups: [{name: a, file_sd: {files: ['%s/*.json'], refresh: 60s}}]",
             directory);
    manager_world_set(world, text);
    struct discovery_state *known =
        (struct discovery_state *) generation_source(manager_generation(world->manager), 0).state;
    struct discovery_state before = *known;
    known->refreshes = 7;
    known->failures = 4;
    known->last_success_s = 12.5;
    known->empty = true;
    char *told = tell(world, NULL);
    *known = before;
#define VALUE(name)                                                                                          \
    (snprintf(series, sizeof(series),                                                                        \
              PREFIX "discovery_" name "{group=\"a\",kind=\"file_sd\",source=\"%s/*.json\"}", directory),    \
     value_of(told, series))
    assert_true(VALUE("targets") == 3);
    assert_true(VALUE("refreshes_total") == 7);
    assert_true(VALUE("failures_total") == 4);
    assert_true(VALUE("last_success_timestamp_seconds") == 12.5);
    assert_true(VALUE("empty") == 1);
    free(told);
}

/* A group of many sources is told in steps; between two of them another configuration may come into force. */
static void test_many_and_a_reload(void **state)
{
    struct manager_world *world = *state;
    struct buffer text, out;
    struct exposition exposition;
    struct manager_walk walk;
    buffer_init(&text, 1 << 20);
    buffer_init(&out, 1 << 20);
    buffer_append_string(&text, "groups: [{name: a, file_sd: [");
    for (unsigned n = 0; n < 200; n++)
        buffer_printf(&text, "%s{files: ['%s/%u.json']}", n ? "," : "", directory, n);
    buffer_append_string(&text, "]}]");
    buffer_append_char(&text, '\0');
    manager_world_set(world, text.data);
    char *told = tell(world, NULL);
    assert_int_equal(exposition_count(told, PREFIX "discovery_targets{"), 200);
    assert_int_equal(exposition_count(told, PREFIX "discovery_last_success_timestamp_seconds{"), 200);
    free(told);

    manager_walk_init(&walk, world->manager, NULL);
    exposition_init(&exposition, FORMAT_TEXT, SLICE(""));
    exposition_add(&exposition, &walk.walk);
    assert_true(exposition_fill(&exposition, &out, 1));
    manager_world_set(world, "groups: []");
    while (exposition_fill(&exposition, &out, out.len + 1)) continue;
    buffer_append_char(&out, '\0');
    assert_int_equal(exposition_count(out.data, PREFIX "discovery_targets{"), 64);
    buffer_deinit(&text);
    buffer_deinit(&out);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_without_a_file), TEST(test_file),    TEST(test_dropped),
        TEST(test_sources),        TEST(test_numbers), TEST(test_many_and_a_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
