/* What /hotkeys says of a server, in both forms: escaped, and only what may be shown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "document/document.h"
#include "fleet_world.h"
#include "watch/window_tally.h"
#include "web/hotkeys.h"

struct hotkeys_world {
    struct fleet_world fleet;
    struct watch *watch;
    struct watch_config config;
    struct census_config census; /* off, unless a test sets it */
    bool closed;
};

static int setup(void **state)
{
    struct hotkeys_world *world = calloc(1, sizeof(*world));
    fleet_world_open(&world->fleet);
    world_add_server(&world->fleet, 0);
    world_add_server(&world->fleet, 1);
    assert_int_equal(watch_new(&world->watch, &world->fleet.loop, world->fleet.resolver,
                               fleet_limiter(world->fleet.fleet)),
                     0);
    watch_config_init(&world->config);
    world->config.enabled = true;
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct hotkeys_world *world = *state;
    watch_close(world->watch, world_set_true, &world->closed);
    loop_run_until(&world->fleet.loop, &world->closed);
    fleet_world_close(&world->fleet);
    free(world);
    return 0;
}

static void fetch(struct window_tally *tally, const char *key, unsigned times)
{
    struct watch_event event = {.kind = WATCH_EVENT, .stream = WATCH_FETCHERS, .size = 10, .has_size = true};
    event.key_len = strlen(key);
    memcpy(event.key, key, event.key_len);
    while (times-- > 0) window_tally_add(tally, &event, 1);
}

/* Both servers are watched, and the first has seen some keys. */
static void watch_some(struct hotkeys_world *world, enum watch_keys keys)
{
    struct siphash_secret secret = {{5, 6}};
    world->config.keys = keys;
    watch_set(world->watch, &world->config, &world->census, world->fleet.targets.items, 2);
    struct watched *watched = watch_find(world->watch, world->fleet.targets.items[0]->client->key.name);
    struct window_tally *tally = window_tally_new(&world->config, &secret, &watched->record);
    fetch(tally, "user:1", 6);
    fetch(tally, "<script>\"&\n", 3);
    fetch(tally, "\xff\xfe", 1);
    window_tally_report(tally, WATCH_BIT(WATCH_FETCHERS), 2000, 1700000000);
    window_tally_free(tally);
}

static char *read_all(const struct hotkeys_request *request, size_t want)
{
    struct producer *producer = hotkeys_producer(request);
    struct buffer out;
    assert_non_null(producer);
    buffer_init(&out, 1 << 20);
    while (producer_fill_some(producer, &out, want)) continue;
    producer->release(producer);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static char *read_json(struct hotkeys_world *world, size_t want)
{
    struct hotkeys_request request = {.watch = world->watch, .json = true};
    struct document document;
    struct buffer error;
    char *text = read_all(&request, want);
    buffer_init(&error, 1024);
    int result = document_read_json(&document, slice_of(text), &error);
    if (result < 0) fail_msg("%s: %.*s", text, SLICE_ARG(buffer_slice(&error)));
    document_deinit(&document);
    buffer_deinit(&error);
    return text;
}

static void expect_part(const char *text, const char *part)
{
    if (!strstr(text, part)) fail_msg("no %s in:\n%s", part, text);
}

static void shows_keys_as_json(void **state)
{
    struct hotkeys_world *world = *state;
    watch_some(world, WATCH_KEYS_FULL);
    char *text = read_json(world, 1);
    expect_part(text, "{\"shows\":\"full\",\"servers\":[");
    expect_part(text, "{\"rank\":1,\"key\":\"user:1\",\"count\":6,\"error\":0,\"ratio\":0.6}");
    expect_part(text, "\"key\":\"<script>\\\"&\\n\"");
    expect_part(text, "\"window_seconds\":2,\"fetches\":10,\"distinct_keys\":3");
    expect_part(text, "\"prefixes\":[{\"rank\":1,\"prefix\":\"user\",\"count\":6");
    free(text);
}

static void shows_less_as_json(void **state)
{
    struct hotkeys_world *world = *state;
    watch_some(world, WATCH_KEYS_PREFIX);
    char *text = read_json(world, 1000);
    expect_part(text, "{\"rank\":1,\"prefix\":\"user\",\"count\":6");
    expect_part(text, "{\"rank\":2,\"prefix\":\"\",\"count\":3");
    assert_null(strstr(text, "user:1"));
    free(text);
    watch_some(world, WATCH_KEYS_NONE);
    text = read_json(world, 1000);
    expect_part(text, "{\"rank\":1,\"count\":6");
    assert_null(strstr(text, "user"));
    free(text);
    watch_some(world, WATCH_KEYS_HASH);
    text = read_json(world, 1000);
    expect_part(text, "{\"rank\":1,\"hash\":\"");
    assert_null(strstr(text, "user"));
    free(text);
}

static void shows_a_page(void **state)
{
    struct hotkeys_world *world = *state;
    struct hotkeys_request request = {.watch = world->watch};
    watch_some(world, WATCH_KEYS_FULL);
    char *text = read_all(&request, 1);
    expect_part(text, "<main>\n<h1>Hot keys</h1>");
    expect_part(text, "</main>\n</body>");
    expect_part(text, "background: var(--back)");
    expect_part(text, "<td>user:1</td>");
    expect_part(text, "<td class=\"n\">60.00 %</td>");
    expect_part(text, "&lt;script&gt;");
    expect_part(text, "10 fetches of about 3 different keys in 2.0 s, until 2023-11-14 22:13:20 UTC");
    expect_part(text, "Nothing was seen yet.");
    assert_null(strstr(text, "<script"));
    free(text);
    watch_some(world, WATCH_KEYS_PREFIX);
    text = read_all(&request, 100000);
    expect_part(text, "<td>user</td>");
    expect_part(text, "<i>no prefix</i>");
    assert_null(strstr(text, "user:1"));
    free(text);
}

static void shows_one_server(void **state)
{
    struct hotkeys_world *world = *state;
    struct hotkeys_request request = {
        .watch = world->watch, .target = slice_of(world->fleet.targets.items[1]->name), .json = true};
    watch_some(world, WATCH_KEYS_FULL);
    assert_true(hotkeys_has_target(&request));
    char *text = read_all(&request, 1000);
    assert_null(strstr(text, world->fleet.targets.items[0]->name));
    expect_part(text, world->fleet.targets.items[1]->name);
    free(text);
    request.target = SLICE("nobody");
    assert_false(hotkeys_has_target(&request));
}

/* Settings may change while the answer is being sent. */
static void survives_a_change(void **state)
{
    struct hotkeys_world *world = *state;
    struct hotkeys_request request = {.watch = world->watch};
    struct buffer out;
    watch_some(world, WATCH_KEYS_FULL);
    struct producer *producer = hotkeys_producer(&request);
    buffer_init(&out, 1 << 20);
    assert_true(producer->fill(producer, &out, 1));
    world->config.enabled = false;
    watch_set(world->watch, &world->config, &world->census, NULL, 0);
    while (producer_fill_some(producer, &out, 1)) continue;
    producer->release(producer);
    buffer_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(shows_keys_as_json, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_less_as_json, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_a_page, setup, teardown),
        cmocka_unit_test_setup_teardown(shows_one_server, setup, teardown),
        cmocka_unit_test_setup_teardown(survives_a_change, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
