/* Many connections: the limit and who makes room, and the ways to stop. */
#include "server_fixture.h"

static const struct server_limits narrow_limits = {.max_connections = 2,
                                                   .head_timeout_ms = 8000,
                                                   .idle_timeout_ms = 60000,
                                                   .max_unread = 16,
                                                   .answer_timeout_ms = 120000};

static unsigned count_open(void)
{
    return server_counts(fixture.server).open;
}

/* --- The limit --- */

/* The one that has been idle for longest makes room, without a word. */
static void test_an_idle_connection_makes_room(void **state)
{
    (void) state;
    struct client first, second, third;
    fixture_start(&narrow_limits);
    client_open(&first);
    client_open(&second);
    client_ask(&first, REQUEST("/short"));
    client_expect(&first, 200, "hello\n");
    loop_run_for(&fixture.loop, 20);
    client_ask(&second, REQUEST("/short"));
    client_expect(&second, 200, "hello\n");
    loop_run_for(&fixture.loop, 20);
    client_ask(&first, REQUEST("/short"));
    client_expect(&first, 200, "hello\n");

    client_open(&third);
    client_ask(&third, REQUEST("/short"));
    client_expect(&third, 200, "hello\n");
    client_expect_end(&second);
    client_ask(&first, REQUEST("/short"));
    client_expect(&first, 200, "hello\n");
    assert_int_equal(count_open(), 2);
    assert_int_equal(server_counts(fixture.server).rejected, 0);
    client_close(&first);
    client_close(&second);
    client_close(&third);
    fixture_stop(0);
}

/* Neither a client that is being answered nor one that has just come is sent away. */
static void test_one_too_many(void **state)
{
    (void) state;
    struct client busy, fresh, third;
    fixture_start(&narrow_limits);
    client_open(&busy);
    client_ask(&busy, REQUEST("/later"));
    client_wait(&busy, fixture.waiting != NULL);
    client_open(&fresh);
    client_wait(&fresh, count_open() == 2);

    client_open(&third);
    client_ask(&third, REQUEST("/short"));
    struct answer answer = client_take(&third, false);
    assert_int_equal(answer.status, 503);
    assert_true(answer_says(&answer, "Retry-After: 1\r\n"));
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    client_expect_end(&third);
    assert_int_equal(server_counts(fixture.server).rejected, 1);
    assert_int_equal(server_counts(fixture.server).accepted, 3);
    answer_deinit(&answer);
    client_close(&third);

    answer_hello(fixture.waiting);
    client_expect(&busy, 200, "hello\n");
    client_ask(&fresh, REQUEST("/short"));
    client_expect(&fresh, 200, "hello\n");
    client_close(&busy);
    client_close(&fresh);
    client_wait(&third, count_open() == 0);

    client_open(&third);
    client_ask(&third, REQUEST("/short"));
    client_expect(&third, 200, "hello\n");
    client_close(&third);
    fixture_stop(0);
}

/* A head that is on its way is as good as a request. */
static void test_half_a_head_makes_no_room(void **state)
{
    (void) state;
    static const struct server_limits one = {.max_connections = 1,
                                             .head_timeout_ms = 8000,
                                             .idle_timeout_ms = 60000,
                                             .max_unread = 16,
                                             .answer_timeout_ms = 120000};
    struct client first, second;
    fixture_start(&one);
    client_open(&first);
    client_ask(&first, REQUEST("/short") "GET /short HTTP/1.1\r\n");
    client_expect(&first, 200, "hello\n");
    client_open(&second);
    client_expect(&second, 503, NULL);
    client_ask(&first, "Host: h\r\n\r\n");
    client_expect(&first, 200, "hello\n");
    client_close(&first);
    client_close(&second);
    fixture_stop(0);
}

static void test_a_silent_connection_makes_room_after_a_while(void **state)
{
    (void) state;
    static const struct server_limits one = {.max_connections = 1,
                                             .head_timeout_ms = 50,
                                             .idle_timeout_ms = 60000,
                                             .max_unread = 16,
                                             .answer_timeout_ms = 120000};
    struct client silent, second;
    fixture_start(&one);
    client_open(&silent);
    client_wait(&silent, count_open() == 1);
    loop_run_for(&fixture.loop, 80);
    client_open(&second);
    client_ask(&second, REQUEST("/short"));
    client_expect(&second, 200, "hello\n");
    client_expect_end(&silent);
    client_close(&silent);
    client_close(&second);
    fixture_stop(0);
}

/* A flood costs no more than a few connections' memory: the rest are closed without an answer. */
static void test_a_flood_is_bounded(void **state)
{
    (void) state;
    enum { FLOOD = 100 };
    static const struct server_limits none = {.max_connections = 0,
                                              .head_timeout_ms = 8000,
                                              .idle_timeout_ms = 60000,
                                              .max_unread = 16,
                                              .answer_timeout_ms = 120000};
    struct client clients[FLOOD];
    fixture_start(&none);
    for (int n = 0; n < FLOOD; n++) client_open(&clients[n]);
    client_wait(&clients[0], server_counts(fixture.server).rejected == FLOOD);
    assert_in_range(count_open(), 1, 64);
    client_expect(&clients[0], 503, NULL);
    client_expect_end(&clients[FLOOD - 1]);
    for (int n = 0; n < FLOOD; n++) client_close(&clients[n]);
    fixture_stop(0);
}

/* --- Stopping --- */

static void test_stop_with_nothing_going_on(void **state)
{
    (void) state;
    fixture_open(&lenient_limits);
    fixture_stop(1000);
    fixture_start(&lenient_limits);
    fixture_stop(1000);
}

/* Idle ones and half heads are closed at once; the grace is for answers. */
static void test_stop_closes_who_waits(void **state)
{
    (void) state;
    struct client idle, half;
    fixture_start(&lenient_limits);
    client_open(&idle);
    client_ask(&idle, REQUEST("/short"));
    client_expect(&idle, 200, "hello\n");
    client_open(&half);
    client_ask(&half, "GET / ");
    client_wait(&half, count_open() == 2);
    uint64_t start = uv_hrtime();
    fixture_stop(60000);
    assert_true(uv_hrtime() - start < 30000000000u);
    client_expect_end(&idle);
    client_close(&idle);
    client_close(&half);
}

static void test_stop_waits_for_the_answer(void **state)
{
    (void) state;
    struct client client, late;
    fixture_start(&lenient_limits);
    client_open(&client);
    client_ask(&client, REQUEST("/later") REQUEST("/short"));
    client_wait(&client, fixture.waiting != NULL);
    server_close(fixture.server, 60000, on_server_closed, &fixture);
    loop_run_for(&fixture.loop, 50);
    assert_false(fixture.closed);

    client_open(&late);
    client_ask(&late, REQUEST("/short"));
    struct answer refusal = client_take(&late, false);
    assert_int_equal(refusal.status, 503);
    assert_true(answer_says(&refusal, "Connection: close\r\n"));
    client_expect_end(&late);
    answer_deinit(&refusal);
    client_close(&late);
    assert_false(fixture.closed);

    answer_hello(fixture.waiting);
    struct answer answer = client_take(&client, false);
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
    loop_run_until(&fixture.loop, &fixture.closed);
    assert_int_equal(fixture.handled, 1);
    assert_int_equal(fixture.aborted, 0);
    loop_close(&fixture.loop);
}

/* Somebody who connects and says nothing does not keep the server beyond the grace. */
static void test_stop_does_not_wait_for_those_who_come_late(void **state)
{
    (void) state;
    struct client client, silent;
    fixture_start(&lenient_limits);
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    server_close(fixture.server, 200, on_server_closed, &fixture);
    client_open(&silent);
    client_wait(&silent, count_open() == 2);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    client_expect_end(&silent);
    client_close(&client);
    client_close(&silent);
    loop_run_until(&fixture.loop, &fixture.closed);
    loop_close(&fixture.loop);
}

/* Whoever connects to it waits for the next process that listens there. */
static void test_stop_closes_a_socket_that_was_handed_over(void **state)
{
    (void) state;
    struct client client, late;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(name);
    int listening = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listening, (struct sockaddr *) &name, sizeof(name)), 0);
    assert_int_equal(listen(listening, 8), 0);
    assert_int_equal(getsockname(listening, (struct sockaddr *) &name, &len), 0);
    fixture_open(&lenient_limits);
    fixture.port = ntohs(name.sin_port);
    assert_int_equal(server_listen_descriptor(fixture.server, dup(listening)), 0);
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    server_close(fixture.server, 60000, on_server_closed, &fixture);
    client_open(&late);
    client_ask(&late, REQUEST("/short"));
    loop_run_for(&fixture.loop, 50);
    assert_int_equal(count_open(), 1);
    answer_hello(fixture.waiting);
    client_expect(&client, 200, "hello\n");
    loop_run_until(&fixture.loop, &fixture.closed);
    loop_close(&fixture.loop);
    int accepted = accept(listening, NULL, NULL);
    assert_true(accepted >= 0);
    close(accepted);
    close(listening);
    client_close(&client);
    client_close(&late);
}

static void test_stop_sends_a_body_to_its_end(void **state)
{
    (void) state;
    struct client client;
    fixture_start(&lenient_limits);
    client_open(&client);
    client.limit = 1000;
    client_ask(&client, REQUEST("/noise/33554432"));
    client_wait(&client, client.got.len == client.limit);
    server_close(fixture.server, 60000, on_server_closed, &fixture);
    client.limit = SIZE_MAX;
    struct answer answer = client_take(&client, false);
    assert_int_equal(answer.body.len, 33554432);
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
    loop_run_until(&fixture.loop, &fixture.closed);
    loop_close(&fixture.loop);
}

/* The client is told, and has a moment to take it. */
static void test_stop_aborts_when_the_grace_is_over(void **state)
{
    (void) state;
    struct client client;
    fixture_start(&lenient_limits);
    client_open(&client);
    client_ask(&client, REQUEST("/later"));
    client_wait(&client, fixture.waiting != NULL);
    uv_update_time(&fixture.loop); /* which the grace is counted from */
    uint64_t start = uv_hrtime();
    server_close(fixture.server, 100, on_server_closed, &fixture);
    struct answer answer = client_take(&client, false);
    assert_true(uv_hrtime() - start >= 90000000u);
    assert_int_equal(answer.status, 503);
    assert_true(answer_says(&answer, "Connection: close\r\n"));
    assert_true(answer_says(&answer, "Retry-After: 1\r\n"));
    assert_int_equal(fixture.aborted, 1);
    client_expect_end(&client);
    answer_deinit(&answer);
    client_close(&client);
    loop_run_until(&fixture.loop, &fixture.closed);
    loop_close(&fixture.loop);
}

/* Without an abort callback the exchange stays until it is answered, though nobody hears the answer. That an
 * earlier request on the connection had set one makes no difference. */
static void test_stop_waits_for_a_handler_that_cannot_be_aborted(void **state)
{
    (void) state;
    struct response response = {.status = 200, .content_type = "text/plain"};
    for (int stream = 0; stream < 2; stream++) {
        struct client client;
        fixture_start(&lenient_limits);
        client_open(&client);
        client_ask(&client, REQUEST("/later") REQUEST("/forgetful"));
        client_wait(&client, fixture.waiting != NULL);
        answer_hello(fixture.waiting);
        client_expect(&client, 200, "hello\n");
        client_wait(&client, fixture.handled == 2);
        server_close(fixture.server, 0, on_server_closed, &fixture);
        client_expect_end(&client);
        loop_run_for(&fixture.loop, 50);
        assert_false(fixture.closed);
        if (stream)
            exchange_stream(fixture.waiting, &response, test_body_new(1000, true, false));
        else
            answer_hello(fixture.waiting);
        assert_int_equal(fixture.released, stream);
        assert_int_equal(fixture.aborted, 0);
        loop_run_until(&fixture.loop, &fixture.closed);
        loop_close(&fixture.loop);
        client_close(&client);
    }
}

/* An answer given before the grace was over is not aborted, though its client does not take it. */
static void test_stop_releases_a_body_that_nobody_takes(void **state)
{
    (void) state;
    struct client client;
    fixture_start(&lenient_limits);
    client_open(&client);
    client.limit = 0;
    client_ask(&client, REQUEST("/noise/50000000"));
    client_wait(&client, fixture.filled > 0);
    fixture_stop(50);
    assert_int_equal(fixture.released, 1);
    assert_int_equal(fixture.aborted, 0);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_idle_connection_makes_room),
        cmocka_unit_test(test_one_too_many),
        cmocka_unit_test(test_half_a_head_makes_no_room),
        cmocka_unit_test(test_a_silent_connection_makes_room_after_a_while),
        cmocka_unit_test(test_a_flood_is_bounded),
        cmocka_unit_test(test_stop_with_nothing_going_on),
        cmocka_unit_test(test_stop_closes_who_waits),
        cmocka_unit_test(test_stop_waits_for_the_answer),
        cmocka_unit_test(test_stop_does_not_wait_for_those_who_come_late),
        cmocka_unit_test(test_stop_closes_a_socket_that_was_handed_over),
        cmocka_unit_test(test_stop_sends_a_body_to_its_end),
        cmocka_unit_test(test_stop_aborts_when_the_grace_is_over),
        cmocka_unit_test(test_stop_waits_for_a_handler_that_cannot_be_aborted),
        cmocka_unit_test(test_stop_releases_a_body_that_nobody_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
