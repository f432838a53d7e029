#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "discoverer_world.h"
#include "discovery/file_sd.h"
#include "discovery/file_set.h"

#define ONE   "[{\"targets\": [\"one\"]}]"
#define TWO   "[{\"targets\": [\"two\"]}]"
#define Y_ONE "- targets: [one]\n"
#define Y_TWO "- targets: [one]\n- targets: [two]\n"

static const char *const patterns[] = {"*.json", "sub/*.json", "*.yml"};
static const struct discovery_config config = {
    .kind = DISCOVERY_FILE_SD,
    .file_sd = {.patterns = patterns, .count = 3, .directory = directory},
};

static int set_up(void **state)
{
    (void) state;
    directory_open();
    open_world();
    open_discoverer(file_sd_new, &config);
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    end_discoverer();
    loop_close(&world.loop);
    directory_close();
    return 0;
}

/* Insists on a nudge, for what was done since the last one, and that the next answer is this. */
static void assert_nudged(const char *expected)
{
    loop_run_until_count(&world.loop, &world.nudges, 1);
    assert_answer(expected);
    loop_run_for(&world.loop, FILE_SD_NUDGE_MS + 20);
    world.nudges = 0;
}

/* --- Answers --- */

static void test_answers(void **state)
{
    (void) state;
    assert_answer("");
    assert_answer("same");
    write_file("a.json", ONE);
    assert_answer("one");
    write_file("a.json", "[");
    char broken[PATH_MAX + 64];
    snprintf(broken, sizeof(broken), "!%s:1:1: expected JSON: ']' expected near end of file",
             path_of("a.json"));
    assert_answer(broken);
    write_file("b.json", TWO);
    snprintf(broken, sizeof(broken), "one two!%s:1:1: expected JSON: ']' expected near end of file",
             path_of("a.json"));
    assert_answer(broken);
}

static void test_refused_pattern(void **state)
{
    (void) state;
    static const char *const wrong[] = {"*"};
    const struct discovery_config bad = {
        .kind = DISCOVERY_FILE_SD,
        .file_sd = {.patterns = wrong, .count = 1, .directory = ""},
    };
    const struct discovery_services services = {.loop = &world.loop};
    struct discoverer *discoverer;
    struct buffer error;
    buffer_init(&error, 4096);
    assert_int_equal(file_sd_new(&discoverer, &services, &bad, &error), UV_EINVAL);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, "*: expected a name that ends in .json, .yml or .yaml");
    buffer_deinit(&error);
}

/* --- Nudges --- */

static void test_no_nudge_for_nothing(void **state)
{
    (void) state;
    write_file("a.json", ONE);
    assert_answer("one");
    assert_answer("same");
    loop_run_for(&world.loop, 2 * FILE_SD_NUDGE_MS);
    assert_int_equal(world.nudges, 0);
}

static void test_nudges(void **state)
{
    (void) state;
    assert_answer("");
    write_file("a.json", ONE);
    assert_nudged("one");
    write_file("a.json", TWO);
    assert_nudged("two");
    replace_file("a.json", ONE);
    assert_nudged("one");
    remove_file("a.json");
    assert_nudged("");
}

/* The first of many changes starts the clock, the others are one with it. */
static void test_one_nudge_for_many_changes(void **state)
{
    (void) state;
    assert_answer("");
    uint64_t started = uv_hrtime();
    for (unsigned n = 0; n < 100; n++) write_file("a.json", n % 2 ? ONE : TWO);
    loop_run_until_count(&world.loop, &world.nudges, 1);
    assert_in_range((uv_hrtime() - started) / 1000000, FILE_SD_NUDGE_MS - 2, 30000);
    loop_run_for(&world.loop, 2 * FILE_SD_NUDGE_MS);
    assert_int_equal(world.nudges, 1);
}

/* Changes without end do not put it off. */
static void test_nudges_between_changes(void **state)
{
    (void) state;
    assert_answer("");
    uint64_t started = uv_hrtime();
    for (unsigned n = 0; n < 30; n++) {
        write_file("a.json", n % 2 ? ONE : TWO);
        loop_run_for(&world.loop, FILE_SD_NUDGE_MS / 5);
    }
    assert_in_range(world.nudges, 1, (uv_hrtime() - started) / 1000000 / FILE_SD_NUDGE_MS + 1);
}

static void test_directory_comes_and_goes(void **state)
{
    (void) state;
    assert_answer("");
    for (unsigned n = 0; n < 3; n++) {
        assert_int_equal(mkdir(path_of("sub"), 0755), 0);
        assert_nudged("same");
        write_file("sub/a.json", ONE);
        assert_nudged("one");
        remove_file("sub/a.json");
        assert_int_equal(rmdir(path_of("sub")), 0);
        assert_nudged("");
    }
}

/* Another directory of the same name, between two questions. */
static void test_directory_is_replaced(void **state)
{
    (void) state;
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    write_file("sub/a.json", ONE);
    assert_answer("one");
    assert_int_equal(rename(path_of("sub"), path_of("old")), 0);
    assert_int_equal(mkdir(path_of("sub"), 0755), 0);
    assert_nudged("");
    write_file("sub/b.json", TWO);
    assert_nudged("two");
}

/* As Kubernetes replaces the files of a ConfigMap. */
static void test_link_is_replaced(void **state)
{
    (void) state;
    assert_int_equal(mkdir(path_of("v1"), 0755), 0);
    assert_int_equal(mkdir(path_of("v2"), 0755), 0);
    write_file("v1/a.json", ONE);
    write_file("v2/a.json", TWO);
    assert_int_equal(symlink("v1", path_of("data")), 0);
    assert_int_equal(symlink("data/a.json", path_of("a.json")), 0);
    assert_answer("one");
    assert_int_equal(symlink("v2", path_of("data.tmp")), 0);
    assert_int_equal(rename(path_of("data.tmp"), path_of("data")), 0);
    assert_nudged("two");
}

static void test_restless_file_is_read_again(void **state)
{
    (void) state;
    write_file("a.yml", Y_ONE);
    assert_answer("one");
    write_file("a.yml", Y_TWO);
    assert_nudged("same");
    loop_run_until_count(&world.loop, &world.nudges, 1);
    assert_answer("one two");
}

/* The wait for one is no wait for the others. */
static void test_nudge_beside_a_restless_file(void **state)
{
    (void) state;
    write_file("a.yml", Y_ONE);
    assert_answer("one");
    write_file("a.yml", Y_TWO);
    assert_nudged("same");
    uint64_t started = uv_hrtime();
    write_file("a.json", TWO);
    loop_run_until_count(&world.loop, &world.nudges, 1);
    assert_in_range((uv_hrtime() - started) / 1000000, 0, FILE_SET_REST_MS - 200);
    assert_answer("two one");
}

/* --- A storm --- */

static bool is_found(const char *address)
{
    for (size_t n = 0; n < world.found.count; n++) {
        if (strcmp(world.found.targets[n].address, address) == 0) return true;
    }
    return false;
}

/* One of the ways in which files are written, well or badly. All that is whole names "always". */
static void write_somehow(unsigned n)
{
    static const char *const json[] = {
        "[{\"targets\": [\"always:1\", \"a\"]}]",
        "[{\"targets\": [\"b\", \"always:1\"]}]",
        "[{\"targets\": [\"b\", \"alw",
        "",
        "[{\"targets\": [\"always:1\"], \"labels\": {\"9\": \"\"}}]",
        "[{\"targets\": [\"b\"]}] ]",
    };
    static const char *const yaml[] = {
        "- targets: [c, d]\n- targets: [always:2]\n",
        "- targets: [c, d]\n",
        "",
        "- targets: [c, d]\n- targets: [al",
        "- [",
    };
    if (n % 2)
        write_file("a.json", json[n / 2 % 6]);
    else
        replace_file("a.json", json[n / 2 % 2]);
    if (n % 3)
        write_file("a.yml", yaml[n / 3 % 5]);
    else
        replace_file("a.yml", yaml[0]);
}

static void test_storm(void **state)
{
    (void) state;
    write_somehow(0);
    ask();
    loop_run_until_count(&world.loop, &world.answers, 1);
    for (unsigned n = 1; n <= 500; n++) {
        write_somehow(n);
        ask();
        loop_run_until_count(&world.loop, &world.answers, n + 1);
        assert_true(is_found("always:1"));
        assert_true(is_found("always:2"));
    }
    replace_file("a.json", ONE);
    replace_file("a.yml", Y_TWO);
    age_file("a.yml", 1);
    assert_answer("one one two");
}

/* --- At any time --- */

static void close_after(unsigned turns, bool twice)
{
    void *state = NULL;
    set_up(&state);
    write_file("a.json", ONE);
    if (twice) assert_answer("one");
    ask();
    write_file("a.json", TWO);
    for (unsigned n = 0; n < turns; n++) {
        loop_turn(&world.loop, 1);
        if (n % 3 == 0) usleep(100);
    }
    unsigned answers = world.answers;
    close_discoverer();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.answers, answers);
    tear_down(&state);
}

static void test_close_at_every_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 30; turns++) {
        close_after(turns, false);
        close_after(turns, true);
    }
}

static void test_close_on_answer(void **state)
{
    (void) state;
    write_file("a.json", ONE);
    world.close_on_answer = true;
    ask();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.answers, 1);
}

/* With every thread busy, what is asked has not begun when it is closed. */
static uv_sem_t work_is_over;

static void wait_until_over(uv_work_t *work)
{
    (void) work;
    uv_sem_wait(&work_is_over);
}

static void test_close_before_it_begins(void **state)
{
    (void) state;
    uv_work_t works[8];
    assert_int_equal(uv_sem_init(&work_is_over, 0), 0);
    for (unsigned n = 0; n < 8; n++) uv_queue_work(&world.loop, &works[n], wait_until_over, NULL);
    ask();
    loop_turn(&world.loop, 1);
    close_discoverer();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.answers, 0);
    for (unsigned n = 0; n < 8; n++) uv_sem_post(&work_is_over);
    while (uv_loop_alive(&world.loop)) loop_run_for(&world.loop, 10);
    uv_sem_destroy(&work_is_over);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_refused_pattern),
        TEST(test_no_nudge_for_nothing),
        TEST(test_nudges),
        TEST(test_one_nudge_for_many_changes),
        TEST(test_nudges_between_changes),
        TEST(test_directory_comes_and_goes),
        TEST(test_directory_is_replaced),
        TEST(test_link_is_replaced),
        TEST(test_restless_file_is_read_again),
        TEST(test_nudge_beside_a_restless_file),
        TEST(test_storm),
        cmocka_unit_test(test_close_at_every_turn),
        TEST(test_close_on_answer),
        TEST(test_close_before_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
