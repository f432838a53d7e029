/* Which path answers what, to which method. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "web_world.h"

/* Paths with everything that HTML or a URL may take for something else. */
#define TELEMETRY_PATH "/m\"'<b>&amp;x"
#define SCRAPE_PATH    "/s\"><script>"

static int setup(void **state)
{
    *state = web_world_open((const char *const[]){"--web.telemetry-path=" TELEMETRY_PATH,
                                                  "--web.scrape-path=" SCRAPE_PATH, NULL});
    return 0;
}

static int teardown(void **state)
{
    web_world_close(*state);
    return 0;
}

static void test_routes(void **state)
{
    static const struct {
        const char *line, *status_line, *text;
    } rows[] = {
        {"GET /", "HTTP/1.1 200 ", "<h1>Memcached Fleet Exporter</h1>"},
        {"GET /?from=7&x=%41", "HTTP/1.1 200 ", "<h1>Memcached Fleet Exporter</h1>"},
        {"GET /?from=%zz", "HTTP/1.1 200 ", "<h1>Memcached Fleet Exporter</h1>"},
        {"POST /?from=7", "HTTP/1.1 303 ", "Location: ./?from=7\r\n"},
        {"HEAD /", "HTTP/1.1 200 ", "text/html; charset=utf-8"},
        {"PUT /", "HTTP/1.1 405 ", "Allow: GET, HEAD, POST\r\n"},
        {"GET /sd", "HTTP/1.1 200 ", "application/json"},
        {"GET /sd?group=x", "HTTP/1.1 404 ", "unknown group \"x\"\n"},
        {"GET /sd?group=%zz", "HTTP/1.1 400 ", "malformed query: expected '%' to be followed by"},
        {"GET /hotkeys", "HTTP/1.1 404 ", "no server is watched, see watch in the configuration file\n"},
        {"GET /hotkeys?target=%zz", "HTTP/1.1 400 ", "malformed query: expected '%' to be followed by"},
        {"POST /hotkeys", "HTTP/1.1 405 ", "Allow: GET, HEAD\r\n"},
        {"GET /%zz", "HTTP/1.1 400 ", "malformed path: expected '%' to be followed by"},
        {"GET /-/healthy", "HTTP/1.1 200 ", "Memcached Fleet Exporter is Healthy.\n"},
        {"GET /-/ready", "HTTP/1.1 200 ", "Memcached Fleet Exporter is Ready.\n"},
        {"GET /-/reload", "HTTP/1.1 405 ", "Allow: POST\r\n"},
        {"POST /-/reload", "HTTP/1.1 403 ", "Lifecycle API is not enabled, see --web.enable-lifecycle\n"},
        {"GET /nobody", "HTTP/1.1 404 ", "not found \"/nobody\"\n"},
        {"GET /metrics", "HTTP/1.1 404 ", "not found \"/metrics\"\n"},
        {"GET /probe", "HTTP/1.1 400 ", "'target' parameter must be specified\n"},
        {"GET /s%22%3E%3Cscript%3E", "HTTP/1.1 400 ", "'target' parameter must be specified\n"},
        {"GET /m%22'%3Cb%3E&amp;x", "HTTP/1.1 200 ", "# TYPE memcached_exporter_build_info gauge\n"},
    };
    struct web_world *world = *state;
    manager_world_set(&world->manager, "{}");
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        web_world_ask(world, rows[n].line, "");
        const char *answer = web_world_answer(world, rows[n].status_line);
        if (!strstr(answer, rows[n].text)) fail_msg("%s: no %s in:\n%s", rows[n].line, rows[n].text, answer);
    }
}

/* What users configured is text in the page, and its links lead where it says. */
static void test_page_escapes_paths(void **state)
{
    struct web_world *world = *state;
    web_world_ask(world, "GET /", "");
    const char *text = web_world_body(web_world_answer(world, "HTTP/1.1 200 "));
    assert_null(strstr(text, SCRAPE_PATH));
    assert_null(strstr(text, TELEMETRY_PATH));
    assert_non_null(strstr(text, "<a href=\"/m%22'%3Cb%3E%26amp;x\">Metrics of all servers</a>"));
    web_world_ask(world, "GET /m%22'%3Cb%3E%26amp;x", "");
    web_world_answer(world, "HTTP/1.1 200 ");
}

/* What the client sent is shown escaped, and cut. */
static void test_long_unknown_path(void **state)
{
    struct web_world *world = *state;
    char line[2048] = "GET /%1b", *end = line + strlen(line);
    memset(end, 'x', 1000);
    web_world_ask(world, line, "");
    const char *text = web_world_body(web_world_answer(world, "HTTP/1.1 404 "));
    assert_true(strlen(text) < 400);
    assert_null(strchr(text, '\x1b'));
}

static void test_ready(void **state)
{
    struct web_world *world = *state;
    web_world_ask(world, "GET /-/ready", "");
    assert_non_null(strstr(web_world_answer(world, "HTTP/1.1 503 "), "has not found its targets"));
    manager_world_set(&world->manager, "{}");
    world->handlers.stopping = true;
    web_world_ask(world, "GET /-/ready", "");
    assert_non_null(strstr(web_world_answer(world, "HTTP/1.1 503 "), "is stopping"));
    web_world_ask(world, "GET /-/healthy", "");
    web_world_answer(world, "HTTP/1.1 200 ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_routes),
        TEST(test_page_escapes_paths),
        TEST(test_long_unknown_path),
        TEST(test_ready),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
