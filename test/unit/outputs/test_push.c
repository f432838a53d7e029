#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/libcurl.h"
#include "push_world.h"

/* Longer than any test, for pushes that are to happen once. */
#define ONCE 60000

static void assert_head(const char *text)
{
    if (!strstr(world.gateway.head, text)) fail_msg("no '%s' in:\n%s", text, world.gateway.head);
}

static void assert_body(const char *text, size_t len)
{
    assert_int_equal(world.gateway.body_len, len);
    assert_memory_equal(world.gateway.body, text, len);
}

/* --- What is sent --- */

static CURL *no_handle(void)
{
    return NULL;
}

static void test_put(void **state)
{
    struct push_label labels[] = {{"instance", "a b"}, {"path", "/x"}};
    (void) state;
    world.config.grouping = (struct push_labels){labels, 2};
    world.config.interval_ns = ONCE * MILLISECOND;
    start_push();
    run_until_attempts(1);
    assert_head("PUT /metrics/job/memcached/instance/a%20b/path@base64/L3g HTTP/1.1\r\n");
    assert_head("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
    assert_head("\r\nTransfer-Encoding: chunked\r\n");
    assert_head("\r\nUser-Agent: memcached_fleet_exporter\r\n");
    assert_null(strstr(world.gateway.head, "Expect:"));
    assert_null(strstr(world.gateway.head, "Authorization:"));
    assert_body("up 1\n", 5);
    assert_counts(1, 0);
}

static void test_post(void **state)
{
    (void) state;
    world.config.post = true;
    start_push();
    run_until_attempts(1);
    assert_head("POST /metrics/job/memcached HTTP/1.1\r\n");
    assert_body("up 1\n", 5);
}

static void test_large_body_and_kept_connection(void **state)
{
    size_t len = 1000 * 1000;
    char *text = malloc(len);
    (void) state;
    for (size_t n = 0; n < len; n++) text[n] = (char) ('a' + n * n % 23);
    world.text = text;
    world.len = len;
    start_push();
    run_until_attempts(3);
    assert_body(text, len);
    assert_int_equal(world.gateway.accepted, 1);
    assert_counts(3, 0);
    world.len = 5;
    run_until_attempts(5);
    free(text);
    world.text = "up 1\n";
}

/* Ends of lines are held back at the ends of pieces, and are all there in the end. */
static void test_every_size(void **state)
{
    static const char text[] = "\n\n\nab 1\n\nc\n";
    (void) state;
    for (size_t size = 0; size < sizeof(text) * sizeof(text); size++) {
        void *unused = NULL;
        set_up(&unused);
        world.text = text;
        world.len = size % sizeof(text);
        world.fill_max = size / sizeof(text) + 1;
        world.config.interval_ns = ONCE * MILLISECOND;
        start_push();
        run_until_attempts(1);
        assert_body(text, world.len);
        tear_down(&unused);
    }
}

static void test_empty_body(void **state)
{
    (void) state;
    world.len = 0;
    start_push();
    run_until_attempts(1);
    assert_body("", 0);
    assert_counts(1, 0);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* The password is renewed between two pushes, then taken away. */
static void test_basic_auth(void **state)
{
    char path[] = "/tmp/test_push_XXXXXX";
    (void) state;
    close(mkstemp(path));
    write_file(path, "secret\n");
    world.config.username = "monitor";
    world.config.password_file = path;
    start_push();
    run_until_attempts(1);
    assert_head("\r\nAuthorization: Basic bW9uaXRvcjpzZWNyZXQ=\r\n");
    write_file(path, "renewed");
    run_until_attempts(3);
    assert_head("\r\nAuthorization: Basic bW9uaXRvcjpyZW5ld2Vk\r\n");
    unlink(path);
    run_until_attempts(world.push.counts.attempts + 2);
    assert_true(world.push.counts.failures > 0);
    assert_int_equal(logged("err=\"the password file cannot be read: No such file or directory\""), 1);
}

/* A token that would end its header is not sent. */
static void test_bearer_token(void **state)
{
    char path[] = "/tmp/test_push_XXXXXX";
    (void) state;
    close(mkstemp(path));
    write_file(path, "a.b-c_d~e+f/g==\n");
    world.config.bearer_token_file = path;
    start_push();
    run_until_attempts(1);
    assert_head("\r\nAuthorization: Bearer a.b-c_d~e+f/g==\r\n");
    write_file(path, "renewed");
    run_until_attempts(3);
    assert_head("\r\nAuthorization: Bearer renewed\r\n");
    unsigned requests = world.gateway.requests;
    static const char *const bad[] = {"", "\n", "a b", "a\r\nX-Evil: 1", "\xc3\xa4"};
    for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
        write_file(path, bad[n]);
        uint64_t failures = world.push.counts.failures;
        while (world.push.counts.failures == failures) uv_run(&world.loop, UV_RUN_ONCE);
    }
    assert_true(world.gateway.requests <= requests + 1); /* one may have been under way */
    assert_null(strstr(world.gateway.head, "Evil"));
    assert_int_equal(logged("err=\"the token file has to hold one line"), 1);
    unlink(path);
}

/* --- What can fail --- */

static void test_refused_with_an_explanation(void **state)
{
    (void) state;
    world.gateway.reply = "HTTP/1.1 400 Bad Request\r\nContent-Length: 38\r\n\r\nparse error in line 1:\x01 "
                          "\"x\"\nsecond\n\n\n\n";
    start_push();
    run_until_attempts(3);
    assert_counts(3, 3);
    assert_int_equal(logged("push failed"), 1);
    assert_int_equal(logged("level=WARN msg=\"push failed, trying again later\" url=http://127.0.0.1:"), 1);
    assert_int_equal(
        logged("job=memcached err=\"HTTP status 400: parse error in line 1:  \\\"x\\\" second\""), 1);

    world.gateway.reply = ACCEPTED;
    run_until_attempts(5);
    assert_int_equal(world.push.counts.failures, 3);
    assert_int_equal(logged("level=INFO msg=\"push works again\""), 1);

    world.gateway.reply = "HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n";
    run_until_attempts(7);
    assert_int_equal(logged("err=\"HTTP status 500\""), 1);
}

static void test_long_explanation_is_cut(void **state)
{
    char reply[70000];
    (void) state;
    int len = snprintf(reply, sizeof(reply), "HTTP/1.1 400 Bad Request\r\nContent-Length: 60000\r\n\r\n");
    memset(reply + len, 'z', 60000);
    reply[len + 60000] = '\0';
    world.gateway.reply = reply;
    world.config.interval_ns = ONCE * MILLISECOND;
    start_push();
    run_until_attempts(1);
    memset(reply, 'z', 961);
    reply[960] = '\0';
    assert_int_equal(logged(reply), 1);
    reply[960] = 'z';
    reply[961] = '\0';
    assert_int_equal(logged(reply), 0);
}

static void test_redirect_is_not_followed(void **state)
{
    char reply[200];
    (void) state;
    snprintf(reply, sizeof(reply), "HTTP/1.1 307 Go\r\nLocation: %s/elsewhere\r\nContent-Length: 0\r\n\r\n",
             world.url);
    world.gateway.reply = reply;
    world.config.interval_ns = ONCE * MILLISECOND;
    start_push();
    run_until_attempts(1);
    loop_run_for(&world.loop, 20);
    assert_int_equal(world.gateway.requests, 1);
    assert_int_equal(logged("err=\"HTTP status 307, a redirect to http://127.0.0.1:"), 1);
}

static void test_silent_gateway(void **state)
{
    (void) state;
    world.gateway.reply = NULL;
    world.config.timeout_ns = 100 * MILLISECOND;
    world.config.interval_ns = ONCE * MILLISECOND;
    start_push();
    uint64_t started = uv_hrtime();
    run_until_attempts(1);
    assert_in_range((uv_hrtime() - started) / 1000000, 95, 3000);
    assert_counts(1, 1);
    assert_int_equal(logged("timed out"), 1);
}

static void test_gateway_that_hangs_up(void **state)
{
    (void) state;
    world.gateway.close_unanswered = true;
    start_push();
    run_until_attempts(2);
    assert_counts(2, 2);
    assert_int_equal(logged("push failed"), 1);
    world.gateway.close_unanswered = false;
    run_until_attempts(3);
    assert_int_equal(logged("push works again"), 1);
}

/* Kept connections that died are noticed before they are used. */
/* Between two pushes, with time enough for it to be noticed. */
static void test_restarted_gateway(void **state)
{
    (void) state;
    world.config.interval_ns = 300 * MILLISECOND;
    start_push();
    run_until_attempts(1);
    fake_gateway_drop(&world.gateway);
    run_until_attempts(3);
    assert_int_equal(world.push.counts.failures, 0);
    assert_int_equal(world.gateway.accepted, 2);
}

static void test_http_1_0(void **state)
{
    (void) state;
    world.gateway.reply = "HTTP/1.0 200 OK\r\n\r\n";
    world.gateway.close_after_reply = true;
    start_push();
    run_until_attempts(3);
    assert_counts(3, 0);
}

static void test_connection_refused_backs_off(void **state)
{
    (void) state;
    stop_gateway();
    world.config.interval_ns = 10 * MILLISECOND;
    start_push();
    run_until_attempts(5);
    assert_int_equal(world.push.counts.failures, world.push.counts.attempts);
    for (unsigned n = 1; n < 5; n++) {
        /* The clocks of the loop and of libcurl count whole milliseconds. */
        uint64_t waited = world.collected_ms[n] - world.collected_ms[n - 1] + 2;
        assert_true(waited >= 10u << (n - 1));
    }
    assert_int_equal(logged("push failed"), 1);
    assert_int_equal(logged("onnect"), 1);
}

static void test_nothing_to_push(void **state)
{
    (void) state;
    world.answer = ANSWER_NONE;
    start_push();
    run_until_attempts(2);
    assert_counts(2, 2);
    assert_int_equal(world.gateway.accepted, 0);
    assert_int_equal(logged("err=\"the exposition could not be made\""), 1);
    world.answer = ANSWER_TEXT;
    run_until_attempts(3);
    assert_int_equal(world.gateway.requests, 1);
}

/* The gateway sees neither an end nor whole lines only, so that it cannot take a part for the whole. */
static void test_broken_source(void **state)
{
    static char text[400000];
    (void) state;
    /* Lines that end where the pieces of the source do. */
    memset(text, 'x', sizeof(text));
    for (size_t n = 15; n < sizeof(text); n += 16) text[n] = '\n';
    world.text = text;
    world.len = sizeof(text);
    world.answer = ANSWER_BROKEN;
    world.config.interval_ns = ONCE * MILLISECOND;
    start_push();
    run_until_attempts(1);
    loop_run_for(&world.loop, 20);
    assert_counts(1, 1);
    assert_int_equal(world.released, 1);
    assert_int_equal(world.gateway.requests, 0);
    assert_int_equal(world.gateway.cut, 1);
    assert_true(world.gateway.body_len > 0);
    assert_int_equal(world.gateway.body[world.gateway.body_len - 1], 'x');
    assert_int_equal(logged("err=\"the exposition could not be made\""), 1);
}

/* --- When --- */

static void test_ticks_during_a_push_are_skipped(void **state)
{
    (void) state;
    world.gateway.reply = NULL;
    start_push();
    loop_run_until_count(&world.loop, &world.gateway.requests, 1);
    loop_run_for(&world.loop, 100);
    assert_int_equal(world.collected, 1);
    fake_gateway_answer(&world.gateway, ACCEPTED);
    world.gateway.reply = ACCEPTED;
    run_until_attempts(3);
    assert_int_equal(world.push.counts.failures, 0);
    uint64_t waited = world.collected_ms[2] - world.collected_ms[1];
    assert_in_range(waited, 15, 3000);
}

static void test_collecting_may_take_longer_than_the_interval(void **state)
{
    (void) state;
    world.answer = ANSWER_LATER;
    start_push();
    loop_run_for(&world.loop, 60);
    assert_int_equal(world.collected, 1);
    world.answer = ANSWER_TEXT;
    push_deliver(&world.push, text_producer(false));
    run_until_attempts(2);
    assert_int_equal(world.push.counts.failures, 0);
}

/* libcurl that cannot be set up is a failed push like any other, and is tried again. */
static void test_set_up_fails(void **state)
{
    CURL *(*easy_init)(void);
    (void) state;
    assert_int_equal(libcurl_load(), 0);
    easy_init = libcurl.easy_init;
    libcurl.easy_init = no_handle;
    start_push();
    run_until_attempts(2);
    libcurl.easy_init = easy_init;
    assert_int_equal(world.collected, 0);
    assert_int_equal(world.push.counts.failures, world.push.counts.attempts);
    assert_int_equal(logged("msg=\"push failed, trying again later\""), 1);
    loop_run_until_count(&world.loop, &world.gateway.requests, 1);
    run_until_attempts(world.push.counts.attempts + 1);
    assert_int_equal(logged("msg=\"push works again\""), 1);
}

/* It may also never have worked when the end comes. */
static void test_closed_before_it_is_set_up(void **state)
{
    (void) state;
    world.config.delete_on_exit = true;
    start_push();
    push_close(&world.push, on_push_closed);
    loop_run_until_count(&world.loop, &world.closed, 1);
    assert_int_equal(world.gateway.accepted, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_put),
        TEST(test_post),
        TEST(test_large_body_and_kept_connection),
        cmocka_unit_test(test_every_size),
        TEST(test_empty_body),
        TEST(test_basic_auth),
        TEST(test_bearer_token),
        TEST(test_refused_with_an_explanation),
        TEST(test_long_explanation_is_cut),
        TEST(test_redirect_is_not_followed),
        TEST(test_silent_gateway),
        TEST(test_gateway_that_hangs_up),
        TEST(test_restarted_gateway),
        TEST(test_http_1_0),
        TEST(test_connection_refused_backs_off),
        TEST(test_nothing_to_push),
        TEST(test_broken_source),
        TEST(test_ticks_during_a_push_are_skipped),
        TEST(test_collecting_may_take_longer_than_the_interval),
        TEST(test_set_up_fails),
        TEST(test_closed_before_it_is_set_up),
    };
    unsetenv("http_proxy");
    unsetenv("all_proxy");
    unsetenv("ALL_PROXY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
