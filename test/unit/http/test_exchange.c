/* Bodies on their way: framing, compression, back-pressure, and ends in the middle. */
#include "server_fixture.h"

#include <zlib.h>

#define MIB (1024 * 1024)

static int start(void **state)
{
    (void) state;
    fixture_start(&lenient_limits);
    return 0;
}

static int stop(void **state)
{
    (void) state;
    fixture_stop(0);
    return 0;
}

static void expect_bytes(const struct buffer *body, size_t size, bool noise)
{
    assert_int_equal(body->len, size);
    for (size_t n = 0; n < size; n++) {
        if (body->data[n] != (noise ? noise_at(n) : 's')) fail_msg("byte %zu differs", n);
    }
}

/* In place of the compressed body comes what was in it. */
static void inflate_body(struct buffer *body)
{
    z_stream stream = {.next_in = (Bytef *) body->data, .avail_in = (uInt) body->len};
    struct buffer out;
    int result = Z_OK;
    buffer_init(&out, 64 * MIB);
    assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
    while (result == Z_OK) {
        stream.next_out = (Bytef *) buffer_reserve(&out, 65536);
        stream.avail_out = 65536;
        result = inflate(&stream, Z_NO_FLUSH);
        out.len += 65536 - stream.avail_out;
    }
    assert_int_equal(result, Z_STREAM_END);
    assert_int_equal(stream.avail_in, 0);
    inflateEnd(&stream);
    buffer_deinit(body);
    *body = out;
}

static struct answer ask(struct client *client, const char *target, const char *headers)
{
    char text[256];
    snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n%s\r\n", target, headers);
    client_ask(client, text);
    return client_take(client, false);
}

/*
 * Around the sizes of a short answer and of a piece, and on one connection, so that the end of each is where
 * it is said to be.
 */
static void test_sizes(void **state)
{
    (void) state;
    static const size_t sizes[] = {0, 1, 131071, 131072, 131073, 262143, 262144, 262145, 524288, MIB};
    struct client client;
    client_open(&client);
    for (size_t n = 0; n < ARRAY_LEN(sizes); n++) {
        for (int gzip = 0; gzip < 2; gzip++) {
            char target[32];
            snprintf(target, sizeof(target), "/noise/%zu", sizes[n]);
            struct answer answer = ask(&client, target, gzip ? "Accept-Encoding: gzip\r\n" : "");
            bool chunked = sizes[n] > (gzip ? 131072 : 262144);
            assert_int_equal(answer_says(&answer, "Transfer-Encoding: chunked\r\n"), chunked);
            assert_int_equal(answer_says(&answer, "Content-Length: "), !chunked);
            assert_int_equal(answer_says(&answer, "Content-Encoding: gzip\r\n"), gzip);
            assert_true(answer_says(&answer, "Vary: Accept, Accept-Encoding\r\n"));
            if (gzip) inflate_body(&answer.body);
            expect_bytes(&answer.body, sizes[n], true);
            answer_deinit(&answer);
        }
    }
    assert_int_equal(fixture.released, 2 * ARRAY_LEN(sizes));
    assert_int_equal(server_counts(fixture.server).accepted, 1);
    client_close(&client);
}

/* Compression gives nothing out for many pieces, and an empty chunk must not end the body. */
static void test_pieces_that_vanish(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    struct answer answer = ask(&client, "/same/8388608", "Accept-Encoding: gzip\r\n");
    assert_true(answer.body.len < 65536);
    inflate_body(&answer.body);
    expect_bytes(&answer.body, 8 * MIB, false);
    answer_deinit(&answer);
    client_ask(&client, REQUEST("/short"));
    client_expect(&client, 200, "hello\n");
    client_close(&client);
}

static void test_gzip_only_where_it_is_liked(void **state)
{
    (void) state;
    static const struct {
        const char *header;
        bool gzip;
    } rows[] = {
        {"", false},
        {"Accept-Encoding: gzip;q=0\r\n", false},
        {"Accept-Encoding: gzip;q=0.5, identity\r\n", false},
        {"Accept-Encoding: identity;q=0.5, gzip\r\n", true},
        {"Accept-Encoding: br, *;q=0.1\r\n", true},
    };
    struct client client;
    client_open(&client);
    for (size_t n = 0; n < ARRAY_LEN(rows); n++) {
        struct answer answer = ask(&client, "/noise/1000", rows[n].header);
        assert_int_equal(answer_says(&answer, "Content-Encoding: gzip\r\n"), rows[n].gzip);
        answer_deinit(&answer);
    }
    client_close(&client);
}

/* HTTP/1.0 knows no chunks: the end of the connection ends the body. */
static void test_http_1_0(void **state)
{
    (void) state;
    static const char *const requests[] = {
        "GET /noise/1048576 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        "GET /noise/1048576 HTTP/1.0\r\nAccept-Encoding: gzip\r\n\r\n",
    };
    for (size_t n = 0; n < ARRAY_LEN(requests); n++) {
        struct client client;
        client_open(&client);
        client_ask(&client, requests[n]);
        struct answer answer = client_take(&client, false);
        assert_false(answer_says(&answer, "chunked"));
        assert_true(answer_says(&answer, "Connection: close\r\n"));
        if (n == 1) inflate_body(&answer.body);
        expect_bytes(&answer.body, MIB, true);
        answer_deinit(&answer);
        client_close(&client);
    }
}

static void test_http_1_0_keeps_alive_after_a_short_body(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    for (int n = 0; n < 2; n++) {
        client_ask(&client, "GET /noise/1000 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        struct answer answer = client_take(&client, false);
        assert_true(answer_says(&answer, "Connection: keep-alive\r\n"));
        expect_bytes(&answer.body, 1000, true);
        answer_deinit(&answer);
    }
    client_close(&client);
}

static void test_head(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client_ask(&client, "HEAD /noise/1048576 HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
    struct answer answer = client_take(&client, true);
    assert_int_equal(answer.status, 200);
    assert_false(answer_says(&answer, "Content-Length"));
    assert_false(answer_says(&answer, "Transfer-Encoding"));
    assert_false(answer_says(&answer, "Content-Encoding"));
    assert_int_equal(fixture.filled, 0);
    assert_int_equal(fixture.released, 1);
    answer_deinit(&answer);
    client_ask(&client, REQUEST("/short"));
    client_expect(&client, 200, "hello\n");
    client_close(&client);
}

/* --- Slow and lost clients --- */

/* Nothing is asked for that nobody takes; when the client reads on, all of it arrives. */
static void test_slow_reader(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    client.limit = 0;
    client_ask(&client, REQUEST("/noise/16777216"));
    size_t filled;
    do {
        filled = fixture.filled;
        loop_run_for(&fixture.loop, 300);
    } while (fixture.filled != filled); /* the kernel's buffers are filling, which ends */
    assert_true(filled > 0 && filled < 16 * MIB);
    assert_int_equal(fixture.released, 0);

    client.limit = SIZE_MAX;
    struct answer answer = client_take(&client, false);
    expect_bytes(&answer.body, 16 * MIB, true);
    answer_deinit(&answer);
    client_close(&client);
}

static void lose_client(const char *request, size_t after)
{
    struct client client;
    client_open(&client);
    client.limit = after;
    client_ask(&client, request);
    client_wait(&client, client.got.len >= after && fixture.filled > 0);
    client_close(&client);
    client_open(&client);
    client_wait(&client, fixture.released == 1 && server_counts(fixture.server).open == 1);
    client_close(&client);
}

static void test_client_is_lost_within_a_body(void **state)
{
    (void) state;
    lose_client(REQUEST("/noise/50000000"), 100000);
    assert_true(fixture.filled < 50000000);
}

static void test_client_is_lost_within_a_compressed_body(void **state)
{
    (void) state;
    lose_client("GET /noise/50000000 HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n", 1000);
    assert_true(fixture.filled < 50000000);
}

/* The connection breaks where the body does, so that the client can tell. */
static void test_body_that_fails(void **state)
{
    (void) state;
    static const char *const requests[] = {
        REQUEST("/broken"),
        "GET /broken HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
    };
    for (unsigned n = 0; n < ARRAY_LEN(requests); n++) {
        struct client client;
        client_open(&client);
        client_ask(&client, requests[n]);
        client_wait(&client, client.ended || client.reset);
        assert_int_equal(fixture.released, n + 1);
        assert_null(memmem(client.got.data, client.got.len, "\r\n0\r\n\r\n", 7));
        client_close(&client);
    }
}

/* As long as nothing is sent, the client is told. */
static void test_body_that_fails_at_once(void **state)
{
    (void) state;
    static const char *const requests[] = {
        REQUEST("/broken/at/once"),
        "GET /broken/at/once HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n",
    };
    struct client client;
    client_open(&client);
    for (unsigned n = 0; n < ARRAY_LEN(requests); n++) {
        client_ask(&client, requests[n]);
        client_expect(&client, 500, "");
        assert_int_equal(fixture.released, n + 1);
    }
    client_close(&client);
}

/* --- The thread pool --- */

enum { POOL_THREADS = 4 };

static uv_sem_t held;

static void hold_thread(uv_work_t *work)
{
    (void) work;
    uv_sem_wait(&held);
}

static void on_let_go(uv_work_t *work, int status)
{
    (void) status;
    ++*(unsigned *) work->data;
}

/* As a file on a mount that hangs does. No answer waits for it. */
static void test_a_pool_that_hangs_holds_up_nothing(void **state)
{
    (void) state;
    uv_work_t works[POOL_THREADS];
    unsigned let_go = 0;
    struct client client;
    assert_int_equal(uv_sem_init(&held, 0), 0);
    for (unsigned n = 0; n < POOL_THREADS; n++) {
        works[n].data = &let_go;
        assert_int_equal(uv_queue_work(&fixture.loop, &works[n], hold_thread, on_let_go), 0);
    }
    client_open(&client);
    for (int zstd = 0; zstd < 2; zstd++) {
        struct answer answer =
            ask(&client, "/noise/2000000", zstd ? "Accept-Encoding: zstd\r\n" : "Accept-Encoding: gzip\r\n");
        assert_int_equal(answer.status, 200);
        answer_deinit(&answer);
    }
    client_close(&client);
    assert_int_equal(let_go, 0);
    for (unsigned n = 0; n < POOL_THREADS; n++) uv_sem_post(&held);
    loop_run_until_count(&fixture.loop, &let_go, POOL_THREADS);
    uv_sem_destroy(&held);
}

/* --- The end in the middle --- */

/* A body that often gives less than a piece, or nothing, is whole all the same. */
static void test_body_that_halts(void **state)
{
    (void) state;
    struct client client;
    client_open(&client);
    for (unsigned n = 0; n < 2; n++) {
        static const char *const targets[] = {"/halting/1000", "/halting/1000000"};
        struct answer answer = ask(&client, targets[n], "");
        expect_bytes(&answer.body, n ? 1000000 : 1000, true);
        assert_int_equal(answer_says(&answer, "\r\nTransfer-Encoding: chunked\r\n"), n);
        answer_deinit(&answer);
        answer = ask(&client, targets[n], "Accept-Encoding: gzip\r\n");
        inflate_body(&answer.body);
        expect_bytes(&answer.body, n ? 1000000 : 1000, true);
        answer_deinit(&answer);
    }
    client_close(&client);
}

/* Bodies that are due at once are made over several turns; those that still wait at the end are released. */
static void test_bodies_share_the_turns(void **state)
{
    (void) state;
    struct client clients[6];
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) client_open(&clients[n]);
    client_wait(&clients[0], server_counts(fixture.server).open == ARRAY_LEN(clients));
    fixture.fill_ns = 2000000;
    for (unsigned round = 0; round < 2; round++) {
        unsigned handled = fixture.handled, before = fixture.fills;
        for (unsigned n = 0; n < ARRAY_LEN(clients); n++)
            assert_true(send(clients[n].descriptor, REQUEST("/noise/9"), strlen(REQUEST("/noise/9")), 0) > 0);
        while (fixture.handled == handled) loop_turn(&fixture.loop, 1);
        assert_in_range(fixture.fills - before, 1, 4);
        for (unsigned turn = 0; round == 0 && turn < 6; turn++) {
            before = fixture.fills;
            loop_turn(&fixture.loop, 1);
            assert_in_range(fixture.fills - before, 0, 4);
        }
        for (unsigned n = 0; round == 0 && n < ARRAY_LEN(clients); n++) client_expect(&clients[n], 200, NULL);
    }
    fixture_stop(0);
    assert_int_equal(fixture.released, fixture.handled);
    assert_true(fixture.fills < 2 * ARRAY_LEN(clients));
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) client_close(&clients[n]);
    fixture_start(&lenient_limits);
}

/*
 * Requests that come at once reach their handler over several turns; those that still wait at the end never
 * do.
 */
static void test_requests_share_the_turns(void **state)
{
    (void) state;
    struct client clients[8];
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) client_open(&clients[n]);
    client_wait(&clients[0], server_counts(fixture.server).open == ARRAY_LEN(clients));
    fixture.handle_ns = 2000000;
    for (unsigned round = 0; round < 2; round++) {
        unsigned handled = fixture.handled;
        for (unsigned n = 0; n < ARRAY_LEN(clients); n++)
            assert_true(send(clients[n].descriptor, REQUEST("/short"), strlen(REQUEST("/short")), 0) > 0);
        while (fixture.handled == handled) loop_turn(&fixture.loop, 1);
        assert_in_range(fixture.handled - handled, 1, 4);
        for (unsigned n = 0; round == 0 && n < ARRAY_LEN(clients); n++)
            client_expect(&clients[n], 200, "hello\n");
    }
    fixture_stop(0);
    assert_in_range(fixture.handled, ARRAY_LEN(clients) + 1, ARRAY_LEN(clients) + 4);
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) client_close(&clients[n]);
    fixture_start(&lenient_limits);
}

/* Stopped after so many turns of the loop, while a piece is written. */
static void test_stopped_at_every_turn(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 24; turns++) {
        struct client client;
        fixture_start(&lenient_limits);
        client_open(&client);
        client.limit = 1000;
        client_ask(&client, "GET /noise/50000000 HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n");
        client_wait(&client, fixture.handled == 1);
        loop_turn(&fixture.loop, turns);
        assert_int_equal(fixture.released, 0);
        fixture_stop(0);
        assert_int_equal(fixture.released, 1);
        client_close(&client);
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_sizes),
        TEST(test_pieces_that_vanish),
        TEST(test_gzip_only_where_it_is_liked),
        TEST(test_http_1_0),
        TEST(test_http_1_0_keeps_alive_after_a_short_body),
        TEST(test_head),
        TEST(test_slow_reader),
        TEST(test_client_is_lost_within_a_body),
        TEST(test_client_is_lost_within_a_compressed_body),
        TEST(test_body_that_fails),
        TEST(test_body_that_fails_at_once),
        TEST(test_a_pool_that_hangs_holds_up_nothing),
        TEST(test_body_that_halts),
        TEST(test_bodies_share_the_turns),
        TEST(test_requests_share_the_turns),
        cmocka_unit_test(test_stopped_at_every_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
