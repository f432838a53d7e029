/* The rows of the page: what each column says of a server, and what it does not know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "page_world.h"
#include "web/page_table.h"

/* Returns the rows of all targets; the caller frees them. */
static char *read_rows(struct manager_world *world, bool with_modules)
{
    const struct target_set *target_set = manager_target_set(world->manager);
    struct page_table table = {
        .target_set = target_set, .scrape_path = "/scrape", .with_modules = with_modules, .now_ms = 1000000};
    struct buffer out;
    buffer_init(&out, 1 << 20);
    for (size_t n = 0; n < target_set->targets.count; n++)
        page_table_add(&table, target_set->targets.items[n], &out);
    page_table_close(&table, &out);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

static const char *const all[][2] = {
    {"version", "1.6.18"}, {"uptime", "93784"},       {"curr_items", "1500"},        {"bytes", "1048576"},
    {"get_hits", "300"},   {"get_misses", "100"},     {"limit_maxbytes", "4194304"}, {"cmd_set", "5"},
    {"evictions", "1"},    {"curr_connections", "7"}, {"max_connections", "1024"}};

static void test_up(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: 'a<b>', targets: [h:1]}]");
    say(world, 0, snapshot_of(all, ARRAY_LEN(all)), 900000);
    char *rows = read_rows(world, false);
    expect_in(rows, "Group a&lt;b&gt;</th>");
    expect_in(rows, "<tr data-s=\"up\" data-v=\"0,");
    expect_in(rows, ",93784,1500,1.04858e+06,0.75,,,,7,\">");
    expect_in(rows, "<td><b class=\"up\">up</b> <small>for 1 min, asked 1 min ago</small></td>");
    expect_in(rows, "<td>1 d 2 h</td><td>1.5 k</td>");
    expect_in(rows, "<td>1.0 MiB of 4.0 MiB<i style=\"--w:25%\"></i></td><td>75.0 %</td>");
    expect_in(rows, "<td>–</td><td>–</td><td>–</td><td>7 of 1024</td>");
    expect_in(rows, "<a href=\"/scrape?target=h:1\">Metrics</a>");
    assert_null(strstr(rows, "<svg"));
    free(rows);
}

/* Each time is a step to the right; the slowest reaches the top. */
static void test_times(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1]}]");
    for (unsigned n = 0; n < HISTORY_POLLS + 3; n++) {
        say(world, 0, snapshot_of(all, ARRAY_LEN(all)), 900000 + 2000 * n);
        char *rows = read_rows(world, false);
        if (n == 1) expect_in(rows, "2.4 ms in the last 2 answers\"><path d=\"M116 1l2 0\"/></svg>");
        if (n == HISTORY_POLLS + 2) {
            expect_in(rows, "in the last 60 answers\"><path d=\"M0 1l2 0 2 0");
            assert_int_equal(count_of(rows, " 2 0"), HISTORY_POLLS - 2);
        }
        free(rows);
    }
}

/* The figures of a server that is down are those from when it was up, and the row says how old they are. */
static void test_down(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1, h:2, h:3]}]");
    say(world, 0, snapshot_of(all, ARRAY_LEN(all)), 400000);
    say(world, 0, down(TARGET_REFUSED, "<i>refused</i>\x1b"), 995000);
    say(world, 1, down(TARGET_TIMEOUT, ""), 995000);
    char *rows = read_rows(world, false);
    expect_in(rows, "<b>refused</b> <small>for 5 s, asked 5 s ago, figures from 10 min ago</small>"
                    "<span>&lt;i&gt;refused&lt;/i&gt;\\u001b</span></td>");
    expect_in(rows, "<b>timeout</b> <small>for 5 s, asked 5 s ago</small></td>");
    expect_in(rows, "<b class=\"none\">not asked yet</b></td><td>–</td>");
    assert_int_equal(count_of(rows, "<td>1.5 k</td>"), 1);
    assert_int_equal(count_of(rows, "<tr data-s=\"down\""), 3);
    assert_null(strstr(rows, "<i>refused"));
    free(rows);
}

/* The links of a server lead to the module of its group. Without the endpoint there are none. */
static void test_links(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world,
                      "modules: {'m&': {timeout: 1s}}\ngroups: [{name: a, module: 'm&', targets: [h:1]}]");
    char *rows = read_rows(world, true);
    expect_in(rows, "<a href=\"/scrape?target=h:1&amp;module=m%26\">Metrics</a>");
    expect_in(rows, "<a href=\"/scrape?target=h:1&amp;module=m%26&amp;collect[]=settings\">Settings</a>");
    free(rows);

    struct buffer out;
    const struct target_set *target_set = manager_target_set(world->manager);
    struct page_table table = {.target_set = target_set};
    buffer_init(&out, 1 << 20);
    page_table_add(&table, target_set->targets.items[0], &out);
    buffer_append_char(&out, '\0');
    assert_null(strstr(out.data, "href"));
    buffer_deinit(&out);
}

/* A narrow screen has the titles of the columns beside the values, in the same order. */
static void test_titles(void **state)
{
    struct buffer style, head;
    unsigned count = 0;
    (void) state;
    buffer_init(&style, 1 << 16);
    buffer_init(&head, 1 << 16);
    page_table_style(&style);
    page_table_open(&head);
    buffer_append_char(&style, '\0');
    buffer_append_char(&head, '\0');
    for (const char *at = head.data; (at = strstr(at, "<th ")); count++) {
        char rule[128];
        const char *title = strchr(at, '>') + 1, *end = strstr(title, "</th>");
        at = end;
        if (count == 0) continue;
        snprintf(rule, sizeof(rule), "td:nth-child(%u)::before { content: \"%.*s\"; }", count + 1,
                 (int) (end - title), title);
        expect_in(style.data, rule);
    }
    assert_int_equal(count, 13);
    buffer_deinit(&style);
    buffer_deinit(&head);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_up, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_times, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_down, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_links, page_world_setup, page_world_teardown),
        cmocka_unit_test(test_titles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
