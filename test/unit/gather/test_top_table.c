/* The table of the command top: which servers in which order, and lines that fit every screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/utf8.h"
#include "gather/top_table.h"
#include "outputs/terminal.h"
#include "page_world.h"

/* Returns the frame; the caller frees it. */
static char *draw(struct manager_world *world, struct top_view *view)
{
    struct buffer out;
    buffer_init(&out, 1 << 20);
    top_table_write(view, &manager_target_set(world->manager)->targets, 1700000000, &out);
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

/* Checks that the names begin lines of the frame in this order. */
static void expect_order(struct manager_world *world, struct top_view *view, const char *const *names)
{
    char *frame = draw(world, view), *at = frame;
    for (; *names; names++) {
        at = strstr(at, *names);
        if (!at) fail_msg("%s is not at its place in:\n%s", *names, frame);
    }
    free(frame);
}

static void fill(struct manager_world *world)
{
    static const char *const small[][2] = {{"version", "1.6.1"}, {"curr_items", "5"},
                                           {"get_hits", "9"},    {"get_misses", "1"},
                                           {"bytes", "10"},      {"limit_maxbytes", "100"}};
    static const char *const large[][2] = {{"version", "1.6.2"}, {"curr_items", "2000"},
                                           {"get_hits", "1"},    {"get_misses", "9"},
                                           {"bytes", "20"},      {"limit_maxbytes", "100"}};
    manager_world_set(world, "groups: [{name: a, targets: [c:1, b:1, a:1, d:1]}]");
    say(world, 0, snapshot_of(small, ARRAY_LEN(small)), 900000);
    say(world, 1, snapshot_of(large, ARRAY_LEN(large)), 900000);
    say(world, 2, down(TARGET_REFUSED, "connection refused"), 900000);
}

static void test_order(void **state)
{
    struct manager_world *world = *state;
    static const char *const by_name[] = {"a:1 ", "b:1 ", "c:1 ", "d:1 ", NULL};
    static const char *const by_items[] = {"b:1 ", "c:1 ", "a:1 ", "d:1 ", NULL};
    static const char *const reversed[] = {"d:1 ", "a:1 ", "c:1 ", "b:1 ", NULL};
    static const char *const by_hits[] = {"c:1 ", "b:1 ", "a:1 ", "d:1 ", NULL};
    struct top_view view = {.columns = 160};
    fill(world);
    expect_order(world, &view, by_name);
    assert_true(top_view_key(&view, 'i'));
    expect_order(world, &view, by_items);
    assert_true(top_view_key(&view, 'i'));
    expect_order(world, &view, reversed);
    assert_true(top_view_key(&view, 'h'));
    expect_order(world, &view, by_hits);
    assert_true(top_view_key(&view, 'n') && top_view_key(&view, 'r'));
    expect_order(world, &view, (const char *const[]){"d:1 ", "c:1 ", "b:1 ", "a:1 ", NULL});
    assert_false(top_view_key(&view, 'x') || top_view_key(&view, 0) || top_view_key(&view, 127));
}

static void test_contents(void **state)
{
    struct manager_world *world = *state;
    struct top_view view = {.columns = 160, .rows = 20};
    fill(world);
    char *frame = draw(world, &view);
    expect_in(frame, "2023-11-14 22:13:20 UTC  2 of 4 up, 0 gets/s, ");
    expect_in(frame, "hits 50.0 %, 30 B of 200 B, 2.0 k items");
    expect_in(frame, " 90.0 % ");
    expect_in(frame, " 10 B  10 % ");
    expect_in(frame, " refused ");
    expect_in(frame, " not asked ");
    expect_in(frame, "\n1 to 4 of 4  sort: n s a g w e h m i c u, again or r: reverse");
    assert_null(strstr(frame, "\x1b"));
    free(frame);

    assert_true(top_view_key(&view, 'd'));
    frame = draw(world, &view);
    expect_in(frame, "\n1 to 2 of 2 ");
    assert_null(strstr(frame, "b:1 "));
    free(frame);
}

/* On every screen each line has its width, and the frame its height at most. */
static void test_sizes(void **state)
{
    struct manager_world *world = *state;
    fill(world);
    for (unsigned columns = 1; columns < 200; columns += columns < 20 ? 1 : 13) {
        for (unsigned rows = 0; rows < 12; rows++) {
            struct top_view view = {.columns = columns, .rows = rows, .first = 7};
            char *frame = draw(world, &view);
            size_t lines = 0, width = 0;
            for (struct slice rest = slice_of(frame); rest.len;) {
                size_t len = utf8_sequence(rest);
                assert_true(len > 0);
                width = rest.data[0] == '\n' ? 0 : width + 1;
                lines += rest.data[0] == '\n' || rest.len == len;
                assert_true(width <= columns);
                rest = slice_from(rest, len);
            }
            assert_int_equal(lines, rows == 0 ? 6 : rows < 4 ? 4 : rows < 7 ? rows : 7);
            free(frame);
        }
    }
}

static void test_scrolling(void **state)
{
    struct manager_world *world = *state;
    static const struct {
        int key;
        size_t first;
    } steps[] = {{KEY_DOWN, 1}, {'j', 2},           {KEY_DOWN, 2}, {'k', 1},      {KEY_UP, 0},
                 {KEY_UP, 0},   {KEY_PAGE_DOWN, 1}, {KEY_END, 2},  {KEY_HOME, 0}, {KEY_PAGE_UP, 0}};
    struct top_view view = {.columns = 80, .rows = 5}; /* two servers */
    fill(world);
    for (size_t n = 0; n < ARRAY_LEN(steps); n++) {
        assert_true(top_view_key(&view, steps[n].key));
        free(draw(world, &view));
        if (view.first != steps[n].first) fail_msg("step %zu: %zu", n, view.first);
    }
}

static void test_no_servers(void **state)
{
    struct manager_world *world = *state;
    struct top_view view = {.columns = 80, .rows = 5};
    manager_world_set(world, "groups: []");
    char *frame = draw(world, &view);
    expect_in(frame, "0 of 0 up");
    expect_in(frame, "\nno servers ");
    free(frame);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_contents, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_sizes, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_scrolling, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_no_servers, page_world_setup, page_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
