/* Files that change under a running exporter: what is taken, what is left, what is told. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "directory.h"
#include "manager_world.h"
#include "settings/settings.h"
#include "targets/access_watch.h"

#include <unistd.h>

static struct manager_world world;
static struct access_watch watch;
static int ends[2]; /* of the log */

static void write_password(const char *text)
{
    FILE *file = fopen(path_of("password.new"), "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(rename(path_of("password.new"), path_of("password")), 0);
}

/* Puts a module with a login in force, as settings_read would. */
static void put_in_force(const char *username)
{
    char text[512];
    struct config_rules rules = settings_rules(&world.options);
    struct config *config = calloc(1, sizeof(*config));
    struct buffer error;
    buffer_init(&error, 4096);
    snprintf(text, sizeof(text),
             "modules: {default: {auth: {username: %s, password_file: %s}}}\ngroups: []\n", username,
             path_of("password"));
    assert_int_equal(config_read(config, "/etc/exporter.yml", slice_of(text), &rules, &error), 0);
    if (config_open_accesses(config, &error) < 0) fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    world.set = false;
    assert_int_equal(manager_set(world.manager, config, manager_world_on_set, &world, &error), 0);
    buffer_deinit(&error);
    loop_run_until(&world.fleet.loop, &world.set);
}

static int setup(void **state)
{
    static const char *const arguments[] = {"--memcached.address=", NULL};
    (void) state;
    directory_open();
    write_password("one\n");
    assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
    manager_world_open(&world, arguments);
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    put_in_force("u");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    log_configure(LOG_ERROR, LOG_LOGFMT, STDERR_FILENO);
    manager_world_close(&world);
    close(ends[0]);
    close(ends[1]);
    directory_close();
    return 0;
}

static void close_watch(void)
{
    bool closed = false;
    access_watch_close(&watch, world_set_true, &closed);
    loop_run_until(&world.fleet.loop, &closed);
}

static bool uses(const char *login)
{
    struct buffer text;
    buffer_init(&text, 1000);
    access_append_login(manager_generation(world.manager)->config->modules[0].access, &protocol_text, &text);
    bool same = memmem(text.data, text.len, login, strlen(login)) != NULL;
    buffer_deinit(&text);
    return same;
}

/* Makes the timer of the watch fire now, and leaves the look under way. */
static void begin_look(void)
{
    uv_timer_set_repeat(&watch.timer, 1);
    uv_timer_again(&watch.timer);
    while (watch.open == 1) {
        usleep(1000);
        uv_run(&world.fleet.loop, UV_RUN_NOWAIT); /* runs each timer once at most */
    }
    uv_timer_stop(&watch.timer);
}

static void look_again(void)
{
    begin_look();
    while (watch.open > 1) uv_run(&world.fleet.loop, UV_RUN_ONCE);
}

/* How many lines of the log have the words since the last call. */
static unsigned lines_with(const char *words)
{
    static char text[65536];
    unsigned count = 0;
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    text[len < 0 ? 0 : len] = '\0';
    for (const char *at = text; (at = strstr(at, words)); at += strlen(words)) count++;
    assert_null(strstr(text, "two"));
    return count;
}

static void test_a_new_password(void **state)
{
    (void) state;
    access_watch_start(&watch, &world.fleet.loop, world.manager);
    assert_true(uses("u one\r\n"));
    look_again();
    assert_int_equal(lines_with("reloaded the certificates and passwords"), 0);
    write_password("two\n");
    look_again();
    assert_true(uses("u two\r\n"));
    assert_int_equal(lines_with("reloaded the certificates and passwords"), 1);
    close_watch();
}

/* Told once; tried again when the file is another one. */
static void test_a_bad_file_changes_nothing(void **state)
{
    (void) state;
    access_watch_start(&watch, &world.fleet.loop, world.manager);
    write_password("");
    look_again();
    look_again();
    assert_true(uses("u one\r\n"));
    assert_int_equal(lines_with("the old ones stay in use"), 1);
    write_password("two");
    look_again();
    assert_true(uses("u two\r\n"));
    assert_int_equal(lines_with("reloaded the certificates and passwords"), 1);
    close_watch();
}

static void test_a_reload_meanwhile(void **state)
{
    (void) state;
    access_watch_start(&watch, &world.fleet.loop, world.manager);
    look_again();
    put_in_force("v");
    write_password("two");
    look_again();
    assert_true(uses("v two\r\n"));
    close_watch();
}

/* Before the first look, while a thread reads, and after. */
static void test_closed_at_any_time(void **state)
{
    (void) state;
    for (unsigned looks = 0; looks < 3; looks++) {
        access_watch_start(&watch, &world.fleet.loop, world.manager);
        write_password(looks == 1 ? "two" : "three");
        if (looks == 1) begin_look();
        if (looks == 2) look_again();
        close_watch();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_password, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_bad_file_changes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_reload_meanwhile, setup, teardown),
        cmocka_unit_test_setup_teardown(test_closed_at_any_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
