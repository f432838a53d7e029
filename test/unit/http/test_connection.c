/* One connection: several requests on it, requests that are refused, clients that are slow or gone. */
#include "server_fixture.h"

static const struct server_limits hasty_limits = {.max_connections = 16,
                                                  .head_timeout_ms = 100,
                                                  .idle_timeout_ms = 300,
                                                  .max_unread = 16,
                                                  .answer_timeout_ms = 120000};

static int start(void **state)
{
    (void) state;
    fixture_start(&lenient_limits);
    return 0;
}

static int start_hasty(void **state)
{
    (void) state;
    fixture_start(&hasty_limits);
    return 0;
}

static int stop(void **state)
{
    (void) state;
    fixture_stop(0);
    return 0;
}

/* --- Requests --- */

static void test_keep_alive(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    for (int n = 0; n < 5; n++) {
        client_ask(&client, REQUEST("/short"));
        client_expect(&client, 200, "hello\n");
    }
    client_ask(&client, REQUEST("/x?y=%41"));
    client_expect(&client, 404, "/x?y=%41");
    assert_int_equal(server_counts(fixture.server).accepted, 1);
    assert_int_equal(server_counts(fixture.server).open, 1);
    client_ask(&client, "GET /short HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    client_expect(&client, 200, "hello\n");
    client_expect_end(&client);
    client_close(&client);
}

static void test_pipelined(void **state)
{
    (void) state;
    struct client client;
    struct buffer requests;
    buffer_init(&requests, 65536);
    for (int n = 0; n < 100; n++) {
        buffer_printf(&requests, "GET /%03d HTTP/1.1\r\nHost: test\r\nX: %0*d\r\n\r\n", n, n % 7 * 50 + 1, 0);
    }
    assert_true(requests.len > REQUEST_HEAD_MAX);
    client_open(&client);
    assert_true(client_send(&client, requests.data, requests.len));
    for (int n = 0; n < 100; n++) {
        char target[8];
        snprintf(target, sizeof(target), "/%03d", n);
        client_expect(&client, 404, target);
    }
    assert_int_equal(fixture.handled, 100);
    buffer_deinit(&requests);
    client_close(&client);
}

/*
 * The second request waits in the buffer, and the first one's slices stay good, until the first is answered.
 */
static void test_pipelined_behind_a_late_answer(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, REQUEST("/later") REQUEST("/second"));
    client_wait(&client, fixture.waiting != NULL);
    loop_run_for(&fixture.loop, 20);
    assert_int_equal(fixture.handled, 1);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    client_expect(&client, 404, "/second");
    client_close(&client);
}

static void test_byte_by_byte(void **state)
{
    (void) state;
    static const char text[] = "\r\n" REQUEST("/short");
    struct client client;
    client_open(&client);
    for (size_t n = 0; n < sizeof(text) - 1; n++) {
        assert_int_equal(fixture.handled, 0);
        assert_true(client_send(&client, text + n, 1));
        loop_turn(&fixture.loop, 2);
    }
    client_expect(&client, 200, "hello\n");
    client_close(&client);
}

static void test_head(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, "HEAD /short HTTP/1.1\r\nHost: h\r\n\r\n" REQUEST("/short"));
    struct answer answer = client_take(&client, true);
    assert_true(answer_says(&answer, "Content-Length: 6\r\n"));
    client_expect(&client, 200, "hello\n");
    answer_deinit(&answer);
    client_close(&client);
}

static void test_http_1_0(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, "GET /short HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    struct answer answer = client_take(&client, false);
    assert_true(answer_says(&answer, "Connection: keep-alive\r\n"));
    answer_deinit(&answer);
    client_ask(&client, "GET /short HTTP/1.0\r\n\r\n");
    answer = client_take(&client, false);
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
}

/* A client may close its direction behind its last request, as nc does. */
static void test_half_closed(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, REQUEST("/later") REQUEST("/short"));
    shutdown(client.descriptor, SHUT_WR);
    client_wait(&client, fixture.waiting != NULL);
    loop_run_for(&fixture.loop, 20);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    client_expect(&client, 200, "hello\n");
    client_expect_end(&client);
    client_close(&client);
}

/* --- Refusals --- */

static void expect_refusal(const char *data, size_t len, int status, const char *why)
{
    struct client client;
    client_open(&client);
    client_send(&client, data, len);
    struct answer answer = client_take(&client, false);
    buffer_append_char(&answer.body, '\0');
    assert_int_equal(answer.status, status);
    assert_non_null(strstr(answer.body.data, why));
    assert_ptr_equal(strchr(answer.body.data, '\n'), answer.body.data + answer.body.len - 2);
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    assert_true(answer_says(&answer, "Content-Type: text/plain; charset=utf-8\r\n"));
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
    assert_int_equal(fixture.handled, 0);
}

static void test_refusals(void **state)
{
    (void) state;
    static const char client_hello[] = "\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03";
    static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    static const char no_host[] = "GET / HTTP/1.1\r\n\r\n";
    static const char garbage[] = "stats\r\nquit\r\n";
    expect_refusal(client_hello, sizeof(client_hello) - 1, 400, "plain HTTP");
    expect_refusal(preface, sizeof(preface) - 1, 505, "HTTP/1.1");
    expect_refusal(no_host, sizeof(no_host) - 1, 400, "Host");
    expect_refusal(garbage, sizeof(garbage) - 1, 400, "request line");
}

/* The answer arrives although most of what was sent is never looked at. */
static void test_long_url_and_long_body(void **state)
{
    (void) state;
    static char text[300 * 1024];
    memset(text, 'a', sizeof(text));
    memcpy(text, "GET /", 5);
    expect_refusal(text, 70 * 1024, 431, "16 KiB");
    int head = snprintf(text, sizeof(text), "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 300000\r\n\r\n");
    text[head] = 'b';
    expect_refusal(text, sizeof(text), 413, "body");
}

/* What follows a refused request is no request. */
static void test_nothing_is_served_behind_a_refusal(void **state)
{
    (void) state;
    static const char text[] =
        "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcde" REQUEST("/short");
    expect_refusal(text, sizeof(text) - 1, 413, "body");
}

/* A client that goes on and on is cut off. */
static void test_lingering_is_bounded(void **state)
{
    (void) state;
    static char waste[64 * 1024];
    struct client client;
    client_open(&client);
    client_ask(&client, "bad\r\n");
    client_expect(&client, 400, NULL);
    size_t sent = 0;
    while (sent < 64 * 1024 * 1024 && client_send(&client, waste, sizeof(waste))) sent += sizeof(waste);
    assert_true(sent < 64 * 1024 * 1024);
    assert_int_equal(server_counts(fixture.server).open, 0);
    client_close(&client);

    client_open(&client);
    client_ask(&client, "bad\r\n");
    client_expect(&client, 400, NULL);
    client_wait(&client, client.ended);
    assert_int_equal(server_counts(fixture.server).open, 1);
    client_wait(&client, server_counts(fixture.server).open == 0);
    client_close(&client);
}

/* --- Time --- */

static void test_late_head(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, "GET / HTTP/1.1\r\n");
    struct answer answer = client_take(&client, false);
    assert_int_equal(answer.status, 408);
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
}

/* The head's time runs from its first byte on, not from that of the connection or of the last request. */
static void test_a_pause_before_the_head_is_no_delay_of_it(void **state)
{
    (void) state;
    static const struct server_limits limits = {.max_connections = 16,
                                                .head_timeout_ms = 1000,
                                                .idle_timeout_ms = 60000,
                                                .max_unread = 16,
                                                .answer_timeout_ms = 120000};
    struct client client;
    fixture_start(&limits);
    client_open(&client);
    client_ask(&client, REQUEST("/short"));
    client_expect(&client, 200, "hello\n");
    loop_run_for(&fixture.loop, 900);
    client_ask(&client, "GET /short HTTP/1.1\r\n");
    loop_run_for(&fixture.loop, 600); /* long enough for a sweep */
    client_ask(&client, "Host: h\r\n\r\n");
    client_expect(&client, 200, "hello\n");
    client_close(&client);
    fixture_stop(0);
}

/* Without a word, both a client that never asked and one that has its answers. */
static void test_idle(void **state)
{
    (void) state;
    struct client silent, served;
    client_open(&silent);
    client_open(&served);
    client_ask(&served, REQUEST("/short"));
    client_expect(&served, 200, "hello\n");
    client_expect_end(&silent);
    client_expect_end(&served);
    client_close(&silent);
    client_close(&served);

    /* Nobody is there: nothing wakes the process. */
    loop_run_for(&fixture.loop, 600);
    assert_int_equal(uv_backend_timeout(&fixture.loop), -1);
}

/* However long the handler takes, that is not the client's fault. */
static void test_a_late_answer_is_no_idling(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    loop_run_for(&fixture.loop, 1200);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    client_close(&client);
}

static void test_a_client_that_takes_no_answer_is_closed(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client.limit = 0;
    client_ask(&client, REQUEST("/noise/50000000"));
    client_wait(&client, fixture.released == 1);
    assert_int_equal(server_counts(fixture.server).open, 0);
    assert_true(fixture.filled < 50000000);
    client_close(&client);
}

/* --- Clients that are gone --- */

static void test_gone_before_and_within_a_head(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_wait(&client, server_counts(fixture.server).open == 1);
    client_close(&client);
    client_open(&client);
    client_ask(&client, "GET / HT");
    client_close(&client);
    client_open(&client);
    client_wait(&client,
                server_counts(fixture.server).accepted == 3 && server_counts(fixture.server).open == 1);
    assert_int_equal(fixture.handled, 0);
    client_close(&client);
}

static void test_gone_with_a_reset_before_the_answer(void **state)
{
    (void) state;
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    struct client client;
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    setsockopt(client.descriptor, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    client_close(&client);
    loop_run_for(&fixture.loop, 20);
    answer_hello(fixture.waiting);
    client_open(&client);
    client_wait(&client,
                server_counts(fixture.server).accepted == 2 && server_counts(fixture.server).open == 1);
    client_close(&client);
}

#define TEST(test)       cmocka_unit_test_setup_teardown(test, start, stop)
#define HASTY_TEST(test) cmocka_unit_test_setup_teardown(test, start_hasty, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keep_alive),
        TEST(test_pipelined),
        TEST(test_pipelined_behind_a_late_answer),
        TEST(test_byte_by_byte),
        TEST(test_head),
        TEST(test_http_1_0),
        TEST(test_half_closed),
        TEST(test_refusals),
        TEST(test_long_url_and_long_body),
        TEST(test_nothing_is_served_behind_a_refusal),
        TEST(test_lingering_is_bounded),
        HASTY_TEST(test_late_head),
        cmocka_unit_test(test_a_pause_before_the_head_is_no_delay_of_it),
        HASTY_TEST(test_idle),
        HASTY_TEST(test_a_late_answer_is_no_idling),
        HASTY_TEST(test_a_client_that_takes_no_answer_is_closed),
        TEST(test_gone_before_and_within_a_head),
        TEST(test_gone_with_a_reset_before_the_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
