/* The text of debug=true: its parts for a server that is up and for one that is down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "web_world.h"

static int setup(void **state)
{
    *state = web_world_open((const char *const[]){WEB_WORLD_STATS_ALONE, NULL});
    return 0;
}

static int teardown(void **state)
{
    web_world_close(*state);
    return 0;
}

static void expect_in_order(const char *text, const char *const *parts, size_t count)
{
    for (size_t n = 0; n < count; n++) {
        const char *at = strstr(text, parts[n]);
        if (!at) fail_msg("no \"%s\" behind the last one in:\n%s", parts[n], text);
        text = at + strlen(parts[n]);
    }
}

static void test_parts(void **state)
{
    struct web_world *world = *state;
    static const char *const parts[] = {
        "Content-Type: text/plain; charset=utf-8\r\n",
        "  collectors: stats; time-out: 1.000 s; TLS: no; login: none\n",
        " ms  connecting to 127.0.0.1:",
        " ms  connected to 127.0.0.1:",
        " ms  sent 7 bytes\n",
        " > stats\n",
        " < STAT ",
        "  verdict: up, after ",
        "  answered: stats\n\n127.0.0.1:1\n",
        " ms  no connection to 127.0.0.1:1: connection refused\n",
        "  verdict: refused, connection refused, after ",
        "  answered: nothing\n\nSamples:\n# HELP memcached_up ",
        "\nmemcached_current_items{",
    };
    char line[256];
    for (unsigned n = 0; n < 2; n++) {
        snprintf(line, sizeof(line), "GET /scrape?target=127.0.0.1:%d&target=127.0.0.1:1&debug=true",
                 web_world_fleet(world)->servers[0].port);
        web_world_ask(world, line, "");
        expect_in_order(web_world_answer(world, "HTTP/1.1 200 OK\r\n"), parts, ARRAY_LEN(parts));
    }
}

/* The client leaves while the server is asked. */
static void test_client_gone(void **state)
{
    struct web_world *world = *state;
    struct fleet_world *fleet = web_world_fleet(world);
    char line[256];
    fleet->servers[0].reply = NULL;
    snprintf(line, sizeof(line), "GET /scrape?target=127.0.0.1:%d&debug=true", fleet->servers[0].port);
    web_world_ask(world, line, "");
    loop_run_until_count(&fleet->loop, &fleet->telemetry.scrapes_running, 1);
    web_world_leave(world);
    for (unsigned ms = 0; fleet->telemetry.scrapes_running && ms < 20000; ms++) loop_run_for(&fleet->loop, 1);
    assert_int_equal(fleet->telemetry.scrapes_running, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_client_gone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
