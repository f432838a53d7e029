/* The page of a fleet: all of it in pieces of any size, and what it says of servers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "page_world.h"
#include "web/page.h"

static struct page_request request_of(struct manager_world *world)
{
    return (struct page_request){
        .target_set = manager_target_set(world->manager),
        .generation = manager_generation(world->manager),
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

static void test_totals(void **state)
{
    static const char *const first[][2] = {{"version", "1.6.18"}, {"get_hits", "300"},
                                           {"get_misses", "100"}, {"cmd_set", "5"},
                                           {"bytes", "1048576"},  {"limit_maxbytes", "4194304"}};
    static const char *const second[][2] = {
        {"version", "1.6.18"}, {"get_hits", "700"}, {"get_misses", "100"}, {"cmd_set", "25"}};
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1, h:2, h:3]}]");
    say(world, 0, snapshot_of(first, ARRAY_LEN(first)), 900000);
    say(world, 1, down(TARGET_REFUSED, "connection refused"), 995000);
    struct page_request request = request_of(world);
    char *page = read_page(&request, 1 << 20);
    expect_in(page, "<dt>Servers up</dt><dd>1 of 3</dd>");
    expect_in(page, "<dt>Memory used</dt><dd>1.0 MiB of 4.0 MiB</dd>");
    free(page);

    say(world, 0, snapshot_of(second, ARRAY_LEN(second)), 910000);
    page = read_page(&request, 1 << 20);
    expect_in(page, "<dt>Gets per second</dt><dd>40</dd>");
    expect_in(page, "<dt>Sets per second</dt><dd>2.0</dd>");
    free(page);
}

/* The button leads back to the servers that are shown. Without servers there is nothing to ask. */
static void test_refresh(void **state)
{
    struct manager_world *world = *state;
    manager_world_set(world, "groups: [{name: a, targets: [h:1]}]");
    struct page_request request = request_of(world);
    char *page = read_page(&request, 1 << 20);
    expect_in(page, "<form id=\"refresh\" method=\"post\" action=\"/?from=0\"><button>");
    free(page);
    manager_world_set(world, "groups: []");
    request = request_of(world);
    page = read_page(&request, 1 << 20);
    assert_null(strstr(page, "<form"));
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
        cmocka_unit_test_setup_teardown(test_nothing_configured, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_totals, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_refresh, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_pieces, page_world_setup, page_world_teardown),
        cmocka_unit_test_setup_teardown(test_pages, page_world_setup, page_world_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
