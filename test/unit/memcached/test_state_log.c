/* Many servers that change at once: few lines, and one about all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "base/log.h"
#include "loop.h"
#include "memcached/state_log.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct world {
    uv_loop_t loop;
    struct state_log log;
    bool closed;
    int file;
};

static int setup(void **state)
{
    static struct world world;
    world = (struct world){.file = memfd_create("log", 0)};
    loop_open(&world.loop);
    state_log_init(&world.log, &world.loop);
    log_configure(LOG_INFO, LOG_LOGFMT, world.file);
    *state = &world;
    return 0;
}

static void on_closed(struct state_log *log)
{
    container_of(log, struct world, log)->closed = true;
}

static void close_log(struct world *world)
{
    state_log_close(&world->log, on_closed);
    loop_run_until(&world->loop, &world->closed);
}

static int teardown(void **state)
{
    struct world *world = *state;
    if (!world->closed) close_log(world);
    loop_close(&world->loop);
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    close(world->file);
    return 0;
}

static void note(struct world *world, enum state_change change, enum target_state state, unsigned count)
{
    struct snapshot snapshot = {.state = state, .error = "why"};
    for (unsigned n = 0; n < count; n++) {
        char name[32];
        snprintf(name, sizeof(name), "cache-%u:11211", n);
        state_log_note(&world->log, change, name, &snapshot);
    }
}

/* Returns how many lines have the words, or all lines for "". */
static unsigned logged(const struct world *world, const char *words)
{
    static char text[4 * 1024 * 1024];
    unsigned count = 0;
    ssize_t len = pread(world->file, text, sizeof(text) - 1, 0);
    assert_true(len >= 0);
    text[len] = '\0';
    for (char *rest = text, *line; (line = strsep(&rest, "\n")) && *line;)
        count += strstr(line, words) != NULL;
    return count;
}

/* Runs the loop until the time is over, and that there is nothing more to say. */
static void wait(struct world *world)
{
    while (uv_is_active((uv_handle_t *) &world->log.timer)) loop_run_for(&world->loop, 10);
}

static void test_few_have_their_lines(void **state)
{
    struct world *world = *state;
    note(world, STATE_DOWN, TARGET_REFUSED, STATE_LOG_LINES);
    note(world, STATE_OTHER_REASON, TARGET_TIMEOUT, 1);
    note(world, STATE_UP, TARGET_UP, 2);
    assert_int_equal(logged(world, "msg=\"target is down\" target=cache-"), STATE_LOG_LINES);
    assert_int_equal(
        logged(world, "level=WARN msg=\"target is down\" target=cache-9:11211 state=refused err=why"), 1);
    assert_int_equal(logged(world, "target is still down, for another reason"), 1);
    assert_int_equal(logged(world, "level=INFO msg=\"target is up again\" target=cache-1:11211"), 1);
    wait(world);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES + 3);
}

static void test_many_have_one_together(void **state)
{
    struct world *world = *state;
    note(world, STATE_DOWN, TARGET_REFUSED, 900);
    note(world, STATE_DOWN, TARGET_TIMEOUT, 100);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES);
    wait(world);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES + 1);
    assert_int_equal(logged(world,
                            "level=WARN msg=\"many targets are down\" targets=1000 "
                            "states=\"900 refused, 100 timeout\" first=\"cache-0:11211, cache-1:11211, "),
                     1);
    assert_int_equal(logged(world, "each_of_them=\"at --log.level=debug\""), 1);

    /* Later ones have their own lines again. */
    note(world, STATE_UP, TARGET_UP, 1);
    note(world, STATE_DOWN, TARGET_TIMEOUT, 1);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES + 3);
}

/* A fleet whose servers time out one after the other, for longer than STATE_LOG_MS. */
static void test_a_flood_goes_on(void **state)
{
    struct world *world = *state;
    note(world, STATE_DOWN, TARGET_TIMEOUT, 500);
    while (!logged(world, "many targets are down")) loop_run_for(&world->loop, 10);
    note(world, STATE_DOWN, TARGET_TIMEOUT, 5);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES + 1);
    wait(world);
    assert_int_equal(logged(world, ""), STATE_LOG_LINES + 2);
    assert_int_equal(logged(world, "many targets are down\" targets=5 "), 1);
}

/* With --once, the exporter is gone before the time is over. */
static void test_the_end_says_the_rest(void **state)
{
    struct world *world = *state;
    note(world, STATE_DOWN, TARGET_TIMEOUT, 11);
    close_log(world);
    assert_int_equal(logged(world, "many targets are down\" targets=11 "), 1);
}

static void test_debug_has_each(void **state)
{
    struct world *world = *state;
    log_configure(LOG_DEBUG, LOG_LOGFMT, world->file);
    note(world, STATE_DOWN, TARGET_TIMEOUT, 1000);
    assert_int_equal(logged(world, "msg=\"target is down\""), 1000);
    assert_int_equal(logged(world, "level=DEBUG msg=\"target is down\""), 1000 - STATE_LOG_LINES);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_few_have_their_lines),  TEST(test_many_have_one_together), TEST(test_a_flood_goes_on),
        TEST(test_the_end_says_the_rest), TEST(test_debug_has_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
