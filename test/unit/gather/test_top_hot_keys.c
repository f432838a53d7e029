/* What top --keys writes: within the screen, and with what the servers sent made visible. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fleet_world.h"
#include "gather/top_hot_keys.h"
#include "watch/window_tally.h"

struct hot_world {
    struct fleet_world fleet;
    struct watch *watch;
    struct watch_config config;
    struct census_config census; /* off */
    bool closed;
};

static void fetch(struct window_tally *tally, const char *key, unsigned times)
{
    struct watch_event event = {.kind = WATCH_EVENT, .stream = WATCH_FETCHERS};
    event.key_len = strlen(key);
    memcpy(event.key, key, event.key_len);
    while (times-- > 0) window_tally_add(tally, &event, 1);
}

/* Two servers: the first has seen keys, the second cannot be watched. */
static int setup(void **state)
{
    struct hot_world *world = calloc(1, sizeof(*world));
    struct siphash_secret secret = {{1, 2}};
    fleet_world_open(&world->fleet);
    world_add_server(&world->fleet, 0);
    world_add_server(&world->fleet, 1);
    assert_int_equal(watch_new(&world->watch, &world->fleet.loop, world->fleet.resolver,
                               fleet_limiter(world->fleet.fleet)),
                     0);
    watch_config_init(&world->config);
    world->config.enabled = true;
    world->config.keys = WATCH_KEYS_FULL;
    watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items, 2);
    struct watched *first = watch_server(world->watch, 0), *second = watch_server(world->watch, 1);
    struct window_tally *tally = window_tally_new(&world->config, &secret, &first->record);
    fetch(tally, "user:1", 6);
    fetch(tally, "\x1b[2Jevil\n", 3);
    fetch(tally, "rare", 1);
    window_tally_report(tally, WATCH_BIT(WATCH_FETCHERS), 2000, 1700000000);
    window_tally_free(tally);
    second->result = WATCH_UNSUPPORTED;
    snprintf(second->why, sizeof(second->why), "too old");
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct hot_world *world = *state;
    watch_close(world->watch, world_set_true, &world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    free(world);
    return 0;
}

static char *write_frame(struct hot_world *world, unsigned columns, unsigned rows)
{
    struct top_view view = {.columns = columns, .rows = rows};
    struct buffer out;
    buffer_init(&out, 1 << 20);
    top_hot_keys_write(&view, world->watch, 1700000000, &out);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static unsigned count_lines(const char *text)
{
    unsigned lines = 1;
    for (; *text; text++) lines += *text == '\n';
    return lines;
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("no %s in:\n%s", part, text);
}

static void shows_keys_and_reasons(void **state)
{
    char *text = write_frame(*state, 120, 0);
    expect_part(text, "2023-11-14 22:13:20 UTC  the hottest keys of 2 servers");
    expect_part(text, "  10 fetches of about 3 keys in 2.0 s");
    expect_part(text, "   1  60.00 %          6            0  user:1");
    expect_part(text, "unsupported: too old");
    assert_null(strchr(text, 0x1b));
    free(text);
}

/* No frame has more lines than the screen, nor a longer one. */
static void stays_within_the_screen(void **state)
{
    for (unsigned rows = 1; rows < 14; rows++) {
        for (unsigned columns = 1; columns < 60; columns += 7) {
            char *text = write_frame(*state, columns, rows);
            assert_true(count_lines(text) <= (rows < 2 ? 2 : rows));
            for (struct slice rest = slice_of(text); rest.len;) {
                struct slice line = slice_cut(&rest, '\n');
                if (columns > 1) assert_true(line.len <= columns + 4); /* "…" has three bytes */
            }
            free(text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_keys_and_reasons, setup, teardown),
        cmocka_unit_test_setup_teardown(stays_within_the_screen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
