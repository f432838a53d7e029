/* Reading the file again: who is told what, and what is in force then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "directory.h"
#include "manager_world.h"
#include "targets/reload.h"

#include <signal.h>
#include <sys/mman.h>

#define WAITERS 8

/* What one who asked was told. */
struct told {
    unsigned times;
    int status;
    char error[512];
};

struct fixture {
    struct manager_world world;
    struct reload *reload;
    struct told told[WAITERS];
    unsigned answers; /* of all */
    bool closed;
    int log;
};

/* --- Memory that runs out: the call that is to fail, counted down; 0 for none --- */

static unsigned failing_call;

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    if (failing_call && --failing_call == 0) return NULL;
    return __real_calloc(count, size);
}

/* --- Signals that cannot be watched, say for want of descriptors --- */

static int signal_init_result, signal_start_result;

int __real_uv_signal_init(uv_loop_t *loop, uv_signal_t *handle);
int __wrap_uv_signal_init(uv_loop_t *loop, uv_signal_t *handle);
int __real_uv_signal_start(uv_signal_t *handle, uv_signal_cb on_signal, int number);
int __wrap_uv_signal_start(uv_signal_t *handle, uv_signal_cb on_signal, int number);

int __wrap_uv_signal_init(uv_loop_t *loop, uv_signal_t *handle)
{
    return signal_init_result < 0 ? signal_init_result : __real_uv_signal_init(loop, handle);
}

int __wrap_uv_signal_start(uv_signal_t *handle, uv_signal_cb on_signal, int number)
{
    return signal_start_result < 0 ? signal_start_result : __real_uv_signal_start(handle, on_signal, number);
}

/* --- The fixture --- */

static struct fixture *current;

static void on_done(void *context, int status, const char *error)
{
    struct told *told = context;
    told->times++;
    told->status = status;
    snprintf(told->error, sizeof(told->error), "%s", error);
    current->answers++;
}

static void open_world(struct fixture *fixture, bool with_file)
{
    char file[PATH_MAX + 32];
    snprintf(file, sizeof(file), "--config.file=%s", with_file ? path_of("e.yml") : "");
    *fixture = (struct fixture){0};
    current = fixture;
    manager_world_open(&fixture->world, (const char *const[]){"--memcached.address=f:1", file, NULL});
    fixture->log = memfd_create("log", 0);
    log_configure(LOG_INFO, LOG_LOGFMT, fixture->log);
    assert_int_equal(reload_new(&fixture->reload, &fixture->world.fleet.loop, &fixture->world.options,
                                fixture->world.manager),
                     0);
}

static void close_world(struct fixture *fixture)
{
    if (!fixture->closed) {
        reload_close(fixture->reload, world_set_true, &fixture->closed);
        loop_run_until(&fixture->world.fleet.loop, &fixture->closed);
    }
    log_configure(LOG_ERROR, LOG_LOGFMT, 2);
    close(fixture->log);
    manager_world_close(&fixture->world);
}

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    if (!fixture) return -1;
    directory_open();
    write_file("e.yml", "groups: [{name: a, targets: [h:1]}]");
    open_world(fixture, true);
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    close_world(*state);
    directory_close();
    free(*state);
    return 0;
}

/* How many lines of the log hold these words. */
static unsigned logged(const struct fixture *fixture, const char *words)
{
    static char text[64 * 1024];
    unsigned count = 0;
    ssize_t len = pread(fixture->log, text, sizeof(text) - 1, 0);
    text[len < 0 ? 0 : len] = '\0';
    for (const char *at = text; (at = strstr(at, words)); at++) count++;
    return count;
}

static void expect_told(const struct told *told, int status, const char *error)
{
    assert_int_equal(told->times, 1);
    if (!strstr(told->error, error)) fail_msg("%s", told->error);
    assert_int_equal(told->status, status);
}

/* The targets in force, each name behind a blank. */
static void expect_targets(const struct fixture *fixture, const char *expected)
{
    const struct target_list *targets = &manager_target_set(fixture->world.manager)->targets;
    struct buffer names;
    buffer_init(&names, 4096);
    for (size_t n = 0; n < targets->count; n++) buffer_printf(&names, " %s", targets->items[n]->name);
    buffer_append_char(&names, '\0');
    assert_string_equal(names.data, expected);
    buffer_deinit(&names);
}

static int start_reload(struct fixture *fixture, struct buffer *error)
{
    const struct config *config;
    int result = reload_read(fixture->reload, &config, error);
    return result < 0 ? result : reload_start(fixture->reload, on_done, &fixture->told[0], error);
}

static void start(struct fixture *fixture)
{
    struct buffer error;
    buffer_init(&error, 4096);
    fixture->answers = 0;
    assert_int_equal(start_reload(fixture, &error), 0);
    assert_int_equal(fixture->answers, 0);
    loop_run_until_count(&fixture->world.fleet.loop, &fixture->answers, 1);
    expect_told(&fixture->told[0], 0, "");
    memset(fixture->told, 0, sizeof(fixture->told));
    fixture->answers = 0;
    buffer_deinit(&error);
}

static void request(struct fixture *fixture, unsigned waiter)
{
    unsigned answers = fixture->answers;
    assert_int_equal(reload_request(fixture->reload, on_done, &fixture->told[waiter]), 0);
    assert_int_equal(fixture->answers, answers);
}

static void wait_for(struct fixture *fixture, unsigned answers)
{
    loop_run_until_count(&fixture->world.fleet.loop, &fixture->answers, answers);
}

/* --- The start --- */

static void test_start(void **state)
{
    struct fixture *fixture = *state;
    assert_false(reload_state(fixture->reload)->successful);
    start(fixture);
    expect_targets(fixture, " h:1");
    assert_true(reload_state(fixture->reload)->successful);
    assert_true(reload_state(fixture->reload)->last_success_s > 1e9);
    assert_int_equal(logged(fixture, "msg=\"the configuration file is in force\""), 1);
    assert_int_equal(logged(fixture, "flag=--memcached.address"), 1);
}

static void expect_bad_start(struct fixture *fixture, const char *text, const char *line)
{
    struct buffer error;
    buffer_init(&error, 4096);
    write_file("e.yml", text);
    assert_true(start_reload(fixture, &error) < 0);
    buffer_append_char(&error, '\0');
    if (!strstr(error.data, line)) fail_msg("%s", error.data);
    assert_int_equal(fixture->answers, 0);
    buffer_deinit(&error);
}

static void test_bad_start(void **state)
{
    expect_bad_start(*state, "groups: {}", "e.yml:1:9: groups: a mapping: expected a list of groups");
}

static void test_start_with_outputs_that_cannot_be(void **state)
{
    expect_bad_start(*state, "outputs: {push: {url: 'http://g', username: u}}",
                     "outputs.push.username: expected a user name and a password");
}

/* False when there was memory enough, before the call that was to fail. */
static bool start_fails(unsigned call)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    struct buffer error;
    open_world(fixture, true);
    buffer_init(&error, 4096);
    failing_call = call;
    int result = start_reload(fixture, &error);
    if (result == 0) wait_for(fixture, 1);
    bool failed = failing_call == 0;
    failing_call = 0;
    /* Told in one way, not in both. */
    assert_int_equal(fixture->answers, result == 0);
    assert_int_equal(error.len > 0, result < 0);
    /* There was none before, and the caller says why the start fails. */
    assert_int_equal(logged(fixture, "previous configuration"), 0);
    if (failed) assert_int_equal(result < 0 ? result : fixture->told[0].status, UV_ENOMEM);
    close_world(fixture);
    assert_int_equal(fixture->answers, result == 0);
    buffer_deinit(&error);
    free(fixture);
    return failed;
}

static void test_start_without_memory(void **unused)
{
    unsigned call = 1;
    (void) unused;
    directory_open();
    write_file("e.yml", "groups: [{name: a, targets: [h:1]}]");
    while (start_fails(call)) call++;
    assert_true(call > 5);
    directory_close();
}

static void test_without_a_file(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    (void) state;
    directory_open();
    open_world(fixture, false);
    start(fixture);
    expect_targets(fixture, " f:1");
    assert_int_equal(logged(fixture, "configuration file"), 0);
    raise(SIGHUP);
    loop_run_for(&fixture->world.fleet.loop, 20);
    assert_int_equal(logged(fixture, "nothing to reload, the exporter was started without --config.file"), 1);
    close_world(fixture);
    directory_close();
    free(fixture);
}

/* A file without groups leaves the targets to the flags. */
static void test_file_without_groups(void **state)
{
    struct fixture *fixture = *state;
    write_file("e.yml", "target_label: server");
    start(fixture);
    expect_targets(fixture, " f:1");
    assert_int_equal(logged(fixture, "flag=--memcached.address"), 0);
    write_file("e.yml", "groups: []");
    request(fixture, 1);
    wait_for(fixture, 1);
    assert_int_equal(manager_target_set(fixture->world.manager)->targets.count, 0);
    assert_int_equal(logged(fixture, "flag=--memcached.address"), 1);
}

/* --- Requests --- */

static void test_request(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    double first_s = reload_state(fixture->reload)->last_success_s;
    write_file("e.yml", "groups: [{name: a, targets: [h:1, h:2]}]");
    request(fixture, 0);
    wait_for(fixture, 1);
    expect_told(&fixture->told[0], 0, "");
    expect_targets(fixture, " h:1 h:2");
    assert_true(reload_state(fixture->reload)->last_success_s > first_s);
    assert_int_equal(logged(fixture, "is in force"), 2);
    /* Who was told that the flag gives way is not told again. */
    assert_int_equal(logged(fixture, "flag=--memcached.address"), 1);
}

static void test_bad_file(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    double first_s = reload_state(fixture->reload)->last_success_s;
    write_file("e.yml", "gruops: []");
    request(fixture, 0);
    wait_for(fixture, 1);
    if (!strstr(fixture->told[0].error, "e.yml:1:1: gruops: ")) fail_msg("%s", fixture->told[0].error);
    assert_int_equal(fixture->told[0].status, -EINVAL);
    expect_targets(fixture, " h:1");
    assert_false(reload_state(fixture->reload)->successful);
    assert_true(reload_state(fixture->reload)->last_success_s == first_s);
    assert_int_equal(logged(fixture, "level=ERROR msg=\"cannot load the configuration file, the previous "
                                     "configuration stays in force\" file="),
                     1);
    assert_int_equal(logged(fixture, "e.yml:1:1: gruops: "), 1);

    remove_file("e.yml");
    request(fixture, 1);
    wait_for(fixture, 2);
    expect_told(&fixture->told[1], -ENOENT, "e.yml: No such file or directory");

    write_file("e.yml", "groups: [{name: a, targets: [h:3]}]");
    request(fixture, 2);
    wait_for(fixture, 3);
    expect_told(&fixture->told[2], 0, "");
    expect_targets(fixture, " h:3");
    assert_true(reload_state(fixture->reload)->successful);
}

/* Those who ask while one is under way get another one, together: the file may have changed meanwhile. */
static void test_requests_meanwhile(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    write_file("e.yml", "groups: [{name: a, targets: [h:3]}]");
    request(fixture, 0);
    for (unsigned n = 1; n < WAITERS; n++) request(fixture, n);
    wait_for(fixture, WAITERS);
    for (unsigned n = 0; n < WAITERS; n++) expect_told(&fixture->told[n], 0, "");
    expect_targets(fixture, " h:3");
    assert_int_equal(logged(fixture, "is in force"), 3);
}

static void ask_again(void *context, int status, const char *error)
{
    struct fixture *fixture = context;
    on_done(&fixture->told[0], status, error);
    if (fixture->told[0].times < 3) assert_int_equal(reload_request(fixture->reload, ask_again, fixture), 0);
}

static void test_request_from_the_answer(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    assert_int_equal(reload_request(fixture->reload, ask_again, fixture), 0);
    wait_for(fixture, 3);
    loop_run_for(&fixture->world.fleet.loop, 20);
    assert_int_equal(fixture->told[0].times, 3);
}

static void test_signal(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    write_file("e.yml", "groups: [{name: a, targets: [h:4]}]");
    raise(SIGHUP);
    for (unsigned ms = 0; logged(fixture, "is in force") < 2 && ms < 5000; ms++)
        loop_run_for(&fixture->world.fleet.loop, 1);
    expect_targets(fixture, " h:4");
    assert_int_equal(fixture->answers, 0);
}

/* The owner is told, and nothing is left on the loop. */
static void test_signal_that_cannot_be_watched(void **state)
{
    struct fixture *fixture = *state;
    struct reload *reload = NULL;
    struct manager_world *world = &fixture->world;
    signal_init_result = UV_EMFILE;
    assert_int_equal(reload_new(&reload, &world->fleet.loop, &world->options, world->manager), UV_EMFILE);
    signal_init_result = 0;
    signal_start_result = UV_ENFILE;
    assert_int_equal(reload_new(&reload, &world->fleet.loop, &world->options, world->manager), UV_ENFILE);
    signal_start_result = 0;
    assert_null(reload);
}

static void test_warnings(void **state)
{
    struct fixture *fixture = *state;
    write_file("e.yml", "groups: [{name: a, targets: [h:1, h:1]}]");
    start(fixture);
    assert_int_equal(
        logged(fixture,
               "level=WARN msg=\"the configuration has an entry that is probably a mistake\" warning="),
        1);
}

static void test_without_memory(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    failing_call = 1;
    assert_int_equal(reload_request(fixture->reload, on_done, &fixture->told[0]), UV_ENOMEM);
    /* Who asks has been noted, but there is no room for what would be read. */
    failing_call = 2;
    request(fixture, 1);
    assert_int_equal(failing_call, 0);
    wait_for(fixture, 1);
    expect_told(&fixture->told[1], UV_ENOMEM, "not enough memory");
    assert_int_equal(fixture->told[0].times, 0);
    expect_targets(fixture, " h:1");
    request(fixture, 2);
    wait_for(fixture, 2);
    expect_told(&fixture->told[2], 0, "");
}

/* --- The end, at each stage --- */

/* Closes so many turns of the loop after two requests; everybody is told once. */
static void close_after(unsigned turns)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    open_world(fixture, true);
    start(fixture);
    request(fixture, 0);
    loop_turn(&fixture->world.fleet.loop, turns / 2);
    request(fixture, 1);
    loop_turn(&fixture->world.fleet.loop, (turns + 1) / 2);
    reload_close(fixture->reload, world_set_true, &fixture->closed);
    assert_false(fixture->closed);
    assert_int_equal(fixture->answers, 2);
    for (unsigned n = 0; n < 2; n++) {
        if (fixture->told[n].status == 0) continue;
        expect_told(&fixture->told[n], UV_ECANCELED, "the exporter is stopping");
    }
    loop_run_until(&fixture->world.fleet.loop, &fixture->closed);
    close_world(fixture);
    assert_int_equal(fixture->answers, 2);
    free(fixture);
}

static void test_close_at_each_turn(void **unused)
{
    (void) unused;
    directory_open();
    write_file("e.yml", "groups: [{name: a, targets: [h:1]}]");
    for (unsigned turns = 0; turns < 24; turns++) close_after(turns);
    directory_close();
}

/* A source that never answers keeps the manager at work when the end comes. */
static void test_close_while_setting(void **state)
{
    struct fixture *fixture = *state;
    start(fixture);
    write_file("e.yml", "groups: [{name: a, elasticache: {endpoint: '127.0.0.1:1'}}]");
    request(fixture, 0);
    request(fixture, 1);
    loop_run_for(&fixture->world.fleet.loop, 5);
    reload_close(fixture->reload, world_set_true, &fixture->closed);
    loop_run_until(&fixture->world.fleet.loop, &fixture->closed);
    assert_int_equal(fixture->answers, 2);
}

static void test_close_before_the_start(void **state)
{
    assert_int_equal(((struct fixture *) *state)->answers, 0);
    reload_close(NULL, NULL, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_start),
        TEST(test_bad_start),
        TEST(test_start_with_outputs_that_cannot_be),
        cmocka_unit_test(test_start_without_memory),
        cmocka_unit_test(test_without_a_file),
        TEST(test_file_without_groups),
        TEST(test_request),
        TEST(test_bad_file),
        TEST(test_requests_meanwhile),
        TEST(test_request_from_the_answer),
        TEST(test_signal),
        TEST(test_signal_that_cannot_be_watched),
        TEST(test_warnings),
        TEST(test_without_memory),
        cmocka_unit_test(test_close_at_each_turn),
        TEST(test_close_while_setting),
        TEST(test_close_before_the_start),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
