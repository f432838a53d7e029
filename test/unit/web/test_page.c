/* The page of a fleet: all of it in pieces of any size, and what it says of servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "manager_world.h"
#include "web/page.h"

static int setup(void **state)
{
    struct manager_world *world = calloc(1, sizeof(*world));
    if (!world) return -1;
    manager_world_open(world, (const char *const[]){"--memcached.address=", NULL});
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    manager_world_close(*state);
    free(*state);
    return 0;
}

static struct page_request request_of(struct manager_world *world)
{
    return (struct page_request){
        .target_set = manager_target_set(world->manager),
        .options = &manager_generation(world->manager)->settings.options,
        .ready = true,
        .now_ms = 1000000,
        .now_s = 1700000000,
    };
}

/* In pieces of about so many bytes; the caller frees it. */
static char *read_page(const struct page_request *request, size_t want)
{
    struct producer *producer = page_producer(request);
    struct buffer out;
    bool more = true;
    assert_non_null(producer);
    buffer_init(&out, 1 << 24);
    while (more) {
        size_t before = out.len;
        more = producer->fill(producer, &out, want);
        assert_true(out.len > before);
    }
    producer->release(producer);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static void expect_in(const char *page, const char *text)
{
    if (!strstr(page, text)) fail_msg("not on the page: %s", text);
}

static size_t count_of(const char *page, const char *text)
{
    size_t count = 0;
    for (const char *at = page; (at = strstr(at, text)); at++) count++;
    return count;
}

/* A poll of the n-th target that ended. */
static void say(struct manager_world *world, size_t n, struct snapshot *snapshot, uint64_t now_ms)
{
    struct client *client = manager_target_set(world->manager)->targets.items[n]->client;
    if (!client->history) client->history = calloc(1, sizeof(*client->history));
    assert_non_null(client->history);
    snapshot->duration_ns = 2500000;
    snapshot_finish(snapshot);
    history_observe(client->history, snapshot, now_ms);
    snapshot_release(snapshot);
}

static struct snapshot *snapshot_of(const char *const (*stats)[2], size_t count)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, 1 << 20, 1);
    assert_non_null(snapshot);
    snapshot->answered = COMMAND_BIT(COMMAND_STATS);
    for (size_t n = 0; n < count; n++)
        assert_true(snapshot_add(snapshot, COMMAND_STATS, slice_of(stats[n][0]), slice_of(stats[n][1])));
    snapshot_judge(snapshot, TARGET_UP, "");
    return snapshot;
}

static struct snapshot *down(enum target_state state, const char *error)
{
    struct snapshot *snapshot = snapshot_new(COMMANDS_ALL, 1 << 20, 1);
    assert_non_null(snapshot);
    snapshot_judge(snapshot, state, error);
    return snapshot;
}

static void test_nothing_configured(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: []");
    struct page_request request = request_of(world);
    char *page = read_page(&request, 4096);
    expect_in(page, "No server is configured.");
    expect_in(page, "</html>\n");
    free(page);
}

static void test_servers(void **state)
{
    static const char *const first[][2] = {
        {"version", "1.6.18"}, {"uptime", "93784"},       {"curr_items", "1500"},        {"bytes", "1048576"},
        {"get_hits", "300"},   {"get_misses", "100"},     {"limit_maxbytes", "4194304"}, {"cmd_set", "5"},
        {"evictions", "1"},    {"curr_connections", "7"}, {"max_connections", "1024"}};
    static const char *const second[][2] = {{"version", "1.6.18"},
                                            {"get_hits", "700"},
                                            {"get_misses", "100"},
                                            {"cmd_set", "25"},
                                            {"evictions", "1"}};
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: 'a<b>', targets: [h:1, h:2]}, {name: c, targets: [h:3]}]");
    say(world, 0, snapshot_of(first, ARRAY_LEN(first)), 900000);
    say(world, 1, down(TARGET_REFUSED, "<i>refused</i>\x1b"), 995000);
    struct page_request request = request_of(world);
    char *page = read_page(&request, 1 << 20);
    expect_in(page, "<dt>Servers up</dt><dd>1 of 3</dd>");
    expect_in(page, "Group a&lt;b&gt;");
    expect_in(page, "up</span> <small>for 1 min, asked 1 min ago</small>");
    expect_in(page, ">1 d 2 h</td>");
    expect_in(page, ">1.5 k</td>");
    expect_in(page, "1.0 MiB of 4.0 MiB<span class=\"bar\"><i style=\"width:25%\">");
    expect_in(page, ">75.0 %</td>");
    expect_in(page, ">7 of 1024</td>");
    expect_in(page, "refused</span> <small>for 5 s, asked 5 s ago</small>");
    expect_in(page, "&lt;i&gt;refused&lt;/i&gt;\\u001b");
    expect_in(page, "not asked yet");
    expect_in(page, "href=\"/scrape?target=h:2\"");
    assert_null(strstr(page, "<i>refused"));
    assert_null(strstr(page, "<svg"));
    free(page);

    say(world, 0, snapshot_of(second, ARRAY_LEN(second)), 910000);
    page = read_page(&request, 1 << 20);
    expect_in(page, "<dt>Gets per second</dt><dd>40</dd>");
    expect_in(page, "<dt>Sets per second</dt><dd>2.0</dd>");
    expect_in(page, "aria-label=\"last 2 answers: 2.");
    free(page);
}

/* The bytes do not depend on the size of the pieces. */
static void test_pieces(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1, h:2, h:3]}, {name: b, targets: [h:4]}]");
    struct page_request request = request_of(world);
    char *whole = read_page(&request, 1 << 20);
    for (size_t want = 1; want < 20000; want = 7 * want) {
        char *page = read_page(&request, want);
        assert_string_equal(page, whole);
        free(page);
    }
    assert_int_equal(count_of(whole, "<tbody>"), 2);
    assert_int_equal(count_of(whole, "</tbody>"), 2);
    free(whole);
}

static void test_pages(void **state)
{
    struct manager_world *world = *state;
    struct buffer config;
    buffer_init(&config, 1 << 20);
    buffer_append_string(&config, "groups: [{name: a, targets: [");
    for (int n = 0; n < 2 * PAGE_SERVERS + 5; n++) buffer_printf(&config, "%s'h:%d'", n ? ", " : "", n + 1);
    buffer_append(&config, "]}]", 4);
    manager_world_set(world, config.data);
    buffer_deinit(&config);
    struct page_request request = request_of(world);
    static const struct {
        size_t from, rows;
        const char *current;
    } pages[] = {{0, PAGE_SERVERS, "/?from=0\" aria-current"},
                 {PAGE_SERVERS, PAGE_SERVERS, "/?from=1000\" aria-current"},
                 {PAGE_SERVERS + 7, PAGE_SERVERS, "/?from=1000\" aria-current"},
                 {2 * PAGE_SERVERS, 5, "/?from=2000\" aria-current"},
                 {SIZE_MAX, PAGE_SERVERS, "/?from=0\" aria-current"}};
    for (size_t n = 0; n < ARRAY_LEN(pages); n++) {
        request.from = pages[n].from;
        char *page = read_page(&request, 65536);
        assert_int_equal(count_of(page, "<tr data-s="), pages[n].rows);
        expect_in(page, pages[n].current);
        free(page);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_configured, setup, teardown),
        cmocka_unit_test_setup_teardown(test_servers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
