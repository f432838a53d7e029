/* What the observer of a server is told: once for each answer, whatever becomes of it. */
#include "server_fixture.h"

#include <stdio.h>

#define REPORTS_MAX 16

static struct {
    struct answer_report items[REPORTS_MAX];
    unsigned count;
} reports;

static void on_answer(void *context, const struct answer_report *answer)
{
    assert_ptr_equal(context, &reports);
    assert_true(reports.count < REPORTS_MAX);
    reports.items[reports.count++] = *answer;
}

/* Names the handler for all but /nameless. */
static void handle_named(void *context, struct exchange *exchange, const struct request *request)
{
    if (slice_is(request->path, "/twice")) exchange_set_handler(exchange, "first");
    if (!slice_is(request->path, "/nameless")) exchange_set_handler(exchange, "named");
    handle(context, exchange, request);
}

static void start_with(const struct server_limits *limits)
{
    struct buffer name;
    fixture = (struct fixture){.port = 0};
    reports.count = 0;
    loop_open(&fixture.loop);
    assert_int_equal(server_new(&fixture.server, &fixture.loop, limits, handle_named, &fixture), 0);
    server_observe(fixture.server, on_answer, &reports);
    fixture_listen("127.0.0.1:0");
    buffer_init(&name, 256);
    fixture_name(0, &name);
    fixture.port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
}

static int start(void **state)
{
    (void) state;
    start_with(&lenient_limits);
    return 0;
}

static int stop(void **state)
{
    (void) state;
    fixture_stop(0);
    return 0;
}

static void expect_report(unsigned n, const char *handler, int status, uint64_t bytes)
{
    assert_true(n < reports.count);
    const struct answer_report *report = &reports.items[n];
    if (handler)
        assert_string_equal(report->handler, handler);
    else
        assert_null(report->handler);
    assert_int_equal(report->status, status);
    assert_int_equal(report->bytes, bytes);
    assert_true(report->duration_ns > 0 && report->duration_ns < PATIENCE_MS * 1000000ull);
}

/*
 * Sends a request and reads all that comes back; the connection must end by itself. Returns how much it was.
 */
static size_t exchange_raw(const char *text, size_t len)
{
    struct client client;
    client_open(&client);
    client_send(&client, text, len);
    client_wait(&client, client.ended || client.reset);
    size_t got = client.got.len;
    client_close(&client);
    return got;
}

#define CLOSING(method, target) method " " target " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"

static size_t exchange_text(const char *text)
{
    return exchange_raw(text, strlen(text));
}

/* The bytes are those that the client got: head, chunks and all. */
static void test_bytes_are_those_on_the_wire(void **state)
{
    static const char *const requests[] = {
        CLOSING("GET", "/short") "\r\n",
        CLOSING("GET", "/noise/1000") "\r\n",
        CLOSING("GET", "/noise/200000") "\r\n",
        CLOSING("GET", "/noise/200000") "Accept-Encoding: gzip\r\n\r\n",
        CLOSING("GET", "/noise/0") "\r\n",
        CLOSING("HEAD", "/noise/200000") "\r\n",
        CLOSING("HEAD", "/short") "\r\n",
        "GET /noise/200000 HTTP/1.0\r\n\r\n",
    };
    (void) state;
    for (unsigned n = 0; n < ARRAY_LEN(requests); n++) {
        size_t got = exchange_text(requests[n]);
        assert_true(got > 0);
        assert_int_equal(reports.count, n + 1);
        expect_report(n, "named", 200, got);
    }
}

/* A name is that of one request: the next one on the connection begins without. */
static void test_each_request_has_its_own_name(void **state)
{
    struct client client;
    (void) state;
    client_open(&client);
    client_ask(&client, REQUEST("/short") REQUEST("/nameless") REQUEST("/twice"));
    client_expect(&client, 200, "hello\n");
    client_expect(&client, 404, "/nameless");
    client_expect(&client, 404, "/twice");
    assert_int_equal(reports.count, 3);
    expect_report(0, "named", 200, reports.items[0].bytes);
    expect_report(1, NULL, 404, reports.items[1].bytes);
    expect_report(2, "named", 404, reports.items[2].bytes);
    assert_true(reports.items[0].bytes > 6 && reports.items[1].bytes > 9);
    client_close(&client);
}

/* The time runs while the handler thinks. */
static void test_duration_counts_the_handler(void **state)
{
    struct client client;
    (void) state;
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    loop_run_for(&fixture.loop, 60);
    assert_int_equal(reports.count, 0);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    assert_int_equal(reports.count, 1);
    assert_true(reports.items[0].duration_ns >= 55 * 1000000ull);
    client_close(&client);
}

/* What no handler has seen has no name, but a status. */
static void test_refused_heads(void **state)
{
    static const struct {
        const char *text;
        int status;
    } rows[] = {
        {"stats\r\nquit\r\n", 400},
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
        {"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 413},
    };
    (void) state;
    for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
        size_t got = exchange_text(rows[n].text);
        assert_int_equal(reports.count, n + 1);
        expect_report(n, NULL, rows[n].status, got);
    }
    assert_int_equal(fixture.handled, 0);
    assert_int_equal(server_counts(fixture.server).refused, ARRAY_LEN(rows));
}

static void test_slow_head(void **state)
{
    static const struct server_limits hasty = {.max_connections = 16,
                                               .head_timeout_ms = 20,
                                               .idle_timeout_ms = 60000,
                                               .max_unread = 16,
                                               .answer_timeout_ms = 120000};
    (void) state;
    start_with(&hasty);
    size_t got = exchange_text("GET / HT");
    assert_int_equal(reports.count, 1);
    expect_report(0, NULL, 408, got);
    fixture_stop(0);
}

static void test_one_connection_too_many(void **state)
{
    static const struct server_limits narrow = {.max_connections = 1,
                                                .head_timeout_ms = 8000,
                                                .idle_timeout_ms = 60000,
                                                .max_unread = 16,
                                                .answer_timeout_ms = 120000};
    struct client busy;
    (void) state;
    start_with(&narrow);
    client_open(&busy);
    client_ask(&busy, REQUEST("/later"));
    client_wait(&busy, fixture.waiting != NULL);
    size_t got = exchange_text(REQUEST("/short"));
    assert_int_equal(reports.count, 1);
    expect_report(0, NULL, 503, got);
    answer_hello(fixture.waiting);
    client_expect(&busy, 200, "hello\n");
    assert_int_equal(reports.count, 2);
    expect_report(1, "named", 200, reports.items[1].bytes);
    client_close(&busy);
    fixture_stop(0);
}

/* --- Answers that do not arrive --- */

/* The client goes while the body is on its way, plain or compressed: told once, with what was sent. */
static void test_lost_client(void **state)
{
    static const char *const requests[] = {
        CLOSING("GET", "/noise/50000000") "\r\n",
        CLOSING("GET", "/noise/50000000") "Accept-Encoding: gzip\r\n\r\n",
    };
    (void) state;
    for (unsigned n = 0; n < ARRAY_LEN(requests); n++) {
        struct client client;
        client_open(&client);
        client.limit = 1000;
        client_ask(&client, requests[n]);
        client_wait(&client, client.got.len >= 1000);
        client_close(&client);
        client_open(&client);
        client_wait(&client, reports.count == n + 1 && server_counts(fixture.server).open == 1);
        client_close(&client);
        loop_run_for(&fixture.loop, 20);
        assert_int_equal(reports.count, n + 1);
        expect_report(n, "named", 200, reports.items[n].bytes);
        assert_true(reports.items[n].bytes >= 1000 && reports.items[n].bytes < 50000000);
    }
}

static void test_broken_body(void **state)
{
    (void) state;
    size_t got = exchange_text(CLOSING("GET", "/broken") "\r\n");
    assert_int_equal(reports.count, 1);
    expect_report(0, "named", 200, reports.items[0].bytes);
    assert_true(reports.items[0].bytes >= got);
}

/* Aborted before there was an answer: nothing is told, since nothing was begun. */
static void test_aborted_request(void **state)
{
    struct client client;
    (void) state;
    start_with(&lenient_limits);
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    fixture_stop(0);
    assert_int_equal(fixture.aborted, 1);
    assert_int_equal(reports.count, 1);
    expect_report(0, "named", 503, reports.items[0].bytes);
    client_close(&client);
}

/* Stopped after so many turns: each answer that was begun is told, and only once. */
static void test_stopped_at_every_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 12; turns++) {
        struct client client;
        start_with(&lenient_limits);
        client_open(&client);
        client.limit = 1000;
        client_ask(&client, turns % 2 ? REQUEST("/noise/50000000")
                                      : CLOSING("GET", "/noise/50000000") "Accept-Encoding: gzip\r\n\r\n");
        client_wait(&client, fixture.handled == 1);
        loop_turn(&fixture.loop, turns);
        assert_int_equal(reports.count, 0);
        fixture_stop(0);
        assert_int_equal(reports.count, 1);
        assert_int_equal(reports.items[0].status, 200);
        assert_string_equal(reports.items[0].handler, "named");
        client_close(&client);
    }
}

/* Nobody has to observe. */
static void test_without_observer(void **state)
{
    struct client client;
    (void) state;
    fixture_start(&lenient_limits);
    reports.count = 0;
    client_open(&client);
    client_ask(&client, REQUEST("/short"));
    client_expect(&client, 200, "hello\n");
    client_close(&client);
    fixture_stop(0);
    assert_int_equal(reports.count, 0);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_are_those_on_the_wire),
        TEST(test_each_request_has_its_own_name),
        TEST(test_duration_counts_the_handler),
        TEST(test_refused_heads),
        cmocka_unit_test(test_slow_head),
        cmocka_unit_test(test_one_connection_too_many),
        TEST(test_lost_client),
        TEST(test_broken_body),
        cmocka_unit_test(test_aborted_request),
        cmocka_unit_test(test_stopped_at_every_turn),
        cmocka_unit_test(test_without_observer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
