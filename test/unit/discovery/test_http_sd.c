#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "discoverer_world.h"
#include "discovery/http_sd.h"
#include "discovery/sd_format.h"
#include "fake_gateway.h"

#include <unistd.h>

#define HEAD(length)                                                                                         \
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " #length "\r\n\r\n"
#define ONE  HEAD(22) "[{\"targets\": [\"one\"]}]"
#define TWO  HEAD(22) "[{\"targets\": [\"two\"]}]"
#define NONE HEAD(2) "[]"

static struct fake_gateway server;
static struct discovery_config config;
static char url[256];

static int set_up(void **state)
{
    (void) state;
    open_world();
    fake_gateway_start(&server, &world.loop);
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/targets?x=1", server.port);
    config = (struct discovery_config){
        .kind = DISCOVERY_HTTP_SD,
        .refresh_ms = 1500,
        .http_sd = {.url = url, .timeout_ms = 5000},
    };
    server.reply = ONE;
    return 0;
}

static int tear_down(void **state)
{
    (void) state;
    if (world.discoverer || world.closed == 0) end_discoverer();
    results_deinit(&world.found);
    fake_gateway_stop(&server);
    loop_close(&world.loop);
    fake_gateway_deinit(&server);
    return 0;
}

static void start(void)
{
    open_discoverer(http_sd_new, &config);
}

static void assert_reply(const char *reply, const char *expected)
{
    server.reply = reply;
    assert_answer(expected);
}

/* In words of libcurl, which differ from version to version. */
static void assert_fails(void)
{
    ask();
    loop_run_until_count(&world.loop, &world.answers, world.answers + 1);
    assert_int_equal(world.answer[0], '!');
    assert_true(strlen(world.answer) > 1);
}

/* --- Answers --- */

static void test_answers(void **state)
{
    (void) state;
    start();
    assert_reply(ONE, "one");
    const struct results_target *target = &world.found.targets[0];
    assert_int_equal(target->label_count, 1);
    assert_string_equal(target->labels[0].name, "__meta_url");
    assert_string_equal(target->labels[0].value, url);
    assert_reply(ONE, "same");
    assert_reply(TWO, "two");
    assert_reply(NONE, "");
    assert_reply(NONE, "same");
    assert_reply(ONE, "one");
    assert_int_equal(server.accepted, 1); /* the connection was kept */
}

static void test_request(void **state)
{
    (void) state;
    start();
    assert_answer("one");
    assert_ptr_equal(strstr(server.head, "GET /targets?x=1 HTTP/1.1\r\n"), server.head);
    assert_non_null(strstr(server.head, "\r\nAccept: application/json\r\n"));
    assert_non_null(strstr(server.head, "\r\nX-Prometheus-Refresh-Interval-Seconds: 1.5\r\n"));
    assert_non_null(strstr(server.head, "\r\nUser-Agent: memcached_fleet_exporter\r\n"));
}

static void test_default_refresh(void **state)
{
    (void) state;
    config.refresh_ms = 0;
    start();
    assert_answer("one");
    assert_non_null(strstr(server.head, "\r\nX-Prometheus-Refresh-Interval-Seconds: 60\r\n"));
}

static void test_content_types(void **state)
{
    (void) state;
    start();
    assert_reply("HTTP/1.1 200 OK\r\nContent-Type: Application/JSON ; charset=UTF-8\r\n"
                 "Content-Length: 22\r\n\r\n[{\"targets\": [\"one\"]}]",
                 "one");
    assert_reply("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>",
                 "!Content-Type \"text/html\": expected application/json");
    assert_reply("HTTP/1.1 200 OK\r\nContent-Type: application/jsonx\r\nContent-Length: 2\r\n\r\n[]",
                 "!Content-Type \"application/jsonx\": expected application/json");
    assert_reply("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n[]",
                 "!Content-Type \"\": expected application/json");
}

static void test_encodings(void **state)
{
    (void) state;
    start();
    assert_answer("one");
    assert_non_null(strstr(server.head, "\r\nAccept-Encoding: "));
    assert_non_null(strstr(server.head, "gzip"));
}

/* --- What is no answer --- */

static void test_statuses(void **state)
{
    (void) state;
    start();
    assert_reply("HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n[]",
                 "!HTTP status 404: expected 200");
    assert_reply("HTTP/1.1 204 No Content\r\n\r\n", "!HTTP status 204: expected 200");
    assert_reply("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n", "!HTTP status 503: expected 200");
    assert_reply(ONE, "one");
}

static void test_no_json(void **state)
{
    (void) state;
    start();
    assert_reply(HEAD(4) "[] x", "!1:4: expected JSON: end of file expected near 'x'");
    assert_reply(HEAD(0), "!1:1: expected JSON: unexpected token near end of file");
    assert_reply(HEAD(2) "{}", "!a mapping: expected a list");
    assert_reply(HEAD(16) "[{\"targets\": 1}]", "![0].targets: \"1\": expected a list");
}

/* A failure is not mistaken for the last answer, and an answer after it not for the failure. */
static void test_failure_in_between(void **state)
{
    (void) state;
    start();
    assert_reply(ONE, "one");
    for (unsigned n = 0; n < 2; n++)
        assert_reply(HEAD(4) "[] x", "!1:4: expected JSON: end of file expected near 'x'");
    assert_reply(ONE, "one");
}

static void test_no_http(void **state)
{
    (void) state;
    start();
    server.close_after_reply = true;
    server.reply = "CLIENT_ERROR bad command\r\n";
    assert_fails();
}

static void test_cut(void **state)
{
    (void) state;
    start();
    server.close_after_reply = true;
    server.reply = HEAD(100) "[{\"targets\"";
    assert_fails();
    server.close_unanswered = true;
    assert_fails();
}

static void test_refused(void **state)
{
    (void) state;
    snprintf(url, sizeof(url), "http://127.0.0.1:1/");
    start();
    assert_fails();
    assert_non_null(strstr(world.answer, "127.0.0.1"));
}

static void test_hang(void **state)
{
    (void) state;
    config.http_sd.timeout_ms = 100;
    start();
    server.reply = HEAD(100) "[";
    uint64_t started = uv_hrtime();
    ask();
    loop_run_until_count(&world.loop, &world.answers, 1);
    assert_in_range((uv_hrtime() - started) / 1000000, 95, 2000);
    assert_non_null(strstr(world.answer, "timed out"));
    assert_reply(ONE, "one");
}

static void test_too_large(void **state)
{
    (void) state;
    size_t len = SD_TEXT_MAX + 1;
    char *reply = malloc(len + 256);
    assert_non_null(reply);
    int head = sprintf(
        reply, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", len);
    memset(reply + head, ' ', len);
    reply[(size_t) head + len] = '\0';
    start();
    assert_reply(reply, "!the answer is larger than 16 MiB");
    reply[head] = '[';
    reply[(size_t) head + len - 2] = ']';
    reply[(size_t) head + len - 1] = '\0';
    memcpy(strstr(reply, "Content-Length: "), "Content-Length: 16777216", 24);
    assert_reply(reply, "");
    assert_reply(ONE, "one");
    free(reply);
}

/* An answer without end is not waited for. */
static void test_endless(void **state)
{
    (void) state;
    static char reply[SD_TEXT_MAX + 4096];
    memset(reply, ' ', sizeof(reply) - 1);
    memcpy(reply, HEAD(99999999), sizeof(HEAD(99999999)) - 1);
    start();
    uint64_t started = uv_hrtime();
    assert_reply(reply, "!the answer is larger than 16 MiB");
    assert_in_range((uv_hrtime() - started) / 1000000, 0, 4000);
}

/* --- Redirects --- */

static char redirect[512];

static const char *redirect_to(const char *location)
{
    snprintf(redirect, sizeof(redirect),
             "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 4\r\n\r\nhere", location);
    return redirect;
}

static struct fake_gateway other;

static void start_other(void)
{
    fake_gateway_start(&other, &world.loop);
    other.reply = TWO;
    start();
}

static void stop_other(void)
{
    fake_gateway_stop(&other);
    end_discoverer();
    loop_run_for(&world.loop, 10);
    fake_gateway_deinit(&other);
}

static void test_redirect(void **state)
{
    (void) state;
    char location[64];
    start_other();
    snprintf(location, sizeof(location), "http://127.0.0.1:%d/elsewhere", other.port);
    assert_reply(redirect_to(location), "two");
    assert_ptr_equal(strstr(other.head, "GET /elsewhere HTTP/1.1\r\n"), other.head);
    assert_string_equal(world.found.targets[0].labels[0].value, url);
    stop_other();
}

static void test_redirect_with_credentials(void **state)
{
    (void) state;
    char location[64];
    start_other();
    snprintf(location, sizeof(location), "http://user:secret@127.0.0.1:%d/", other.port);
    server.reply = redirect_to(location);
    assert_fails();
    assert_null(strstr(world.answer, "secret"));
    assert_int_equal(other.requests, 0);
    stop_other();
}

static void test_redirect_to_a_file(void **state)
{
    (void) state;
    start();
    server.reply = redirect_to("file:///etc/passwd");
    assert_fails();
    assert_null(strstr(world.answer, "root"));
    assert_non_null(strstr(world.answer, "rotocol"));
}

static void test_redirect_for_ever(void **state)
{
    (void) state;
    start();
    server.reply = redirect_to("/again");
    assert_fails();
    assert_int_equal(server.requests, 11);
}

/* --- Configuration --- */

static void assert_wrong(const char *wrong, const char *expected)
{
    const struct discovery_services services = {.loop = &world.loop};
    struct discoverer *discoverer;
    struct buffer error;
    config.http_sd.url = wrong;
    buffer_init(&error, 4096);
    assert_int_equal(http_sd_new(&discoverer, &services, &config, &error), UV_EINVAL);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, expected);
    buffer_deinit(&error);
}

static void test_wrong_urls(void **state)
{
    (void) state;
    static const char form[] = "expected a URL of the form http[s]://host[:port][/path]";
    assert_wrong("", form);
    assert_wrong("example.com", form);
    assert_wrong("ftp://example.com/", form);
    assert_wrong("http:///path", form);
    assert_wrong("http://example.com:99999/", form);
    assert_wrong("http://a b/", form);
    assert_wrong("http://user:secret@example.com/", "expected no credentials in the URL");
    config.http_sd.url = url;
    start();
}

/* --- At any time --- */

static void close_after(unsigned turns, const char *reply)
{
    void *state = NULL;
    set_up(&state);
    start();
    server.reply = reply;
    ask();
    for (unsigned n = 0; n < turns; n++) {
        loop_turn(&world.loop, 1);
        if (n % 3 == 0) usleep(100);
    }
    unsigned answers = world.answers;
    close_discoverer();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.answers, answers);
    tear_down(&state);
}

static void test_close_at_every_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 40; turns++) {
        close_after(turns, ONE);
        close_after(turns, NULL);
    }
}

static void close_on_answer_of(const char *reply)
{
    void *state = NULL;
    set_up(&state);
    start();
    world.close_on_answer = true;
    server.reply = reply;
    ask();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.answers, 1);
    tear_down(&state);
}

static void test_close_on_answer(void **state)
{
    (void) state;
    close_on_answer_of(ONE);
    close_on_answer_of(HEAD(0));
    close_on_answer_of("HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n");
}

static void test_close_on_the_same_answer(void **state)
{
    (void) state;
    start();
    assert_answer("one");
    world.close_on_answer = true;
    ask();
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_string_equal(world.answer, "same");
}

static void test_close_unasked(void **state)
{
    (void) state;
    start();
    close_discoverer();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_answers),
        TEST(test_request),
        TEST(test_default_refresh),
        TEST(test_content_types),
        TEST(test_encodings),
        TEST(test_statuses),
        TEST(test_no_json),
        TEST(test_failure_in_between),
        TEST(test_no_http),
        TEST(test_cut),
        TEST(test_refused),
        TEST(test_hang),
        TEST(test_too_large),
        TEST(test_endless),
        TEST(test_redirect),
        TEST(test_redirect_with_credentials),
        TEST(test_redirect_to_a_file),
        TEST(test_redirect_for_ever),
        TEST(test_wrong_urls),
        cmocka_unit_test(test_close_at_every_turn),
        cmocka_unit_test(test_close_on_answer),
        TEST(test_close_on_the_same_answer),
        TEST(test_close_unasked),
    };
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
