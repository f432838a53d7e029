/* Connections that begin with TLS: how they come to a request, and how they do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server_fixture.h"

#include "certificates.h"
#include "net/tls.h"

static struct certificate ca, certificate;
static struct tls_context *client_context, *server_context;

static struct tls_context *on_secure(void *context)
{
    assert_ptr_equal(context, &fixture);
    return server_context;
}

static int group_setup(void **state)
{
    (void) state;
    ca = certificate_make(&(struct certificate_request){.name = "CA", .is_ca = true});
    certificate =
        certificate_make(&(struct certificate_request){.name = "a", .san = "DNS:a.example", .ca = &ca});
    return 0;
}

static int group_teardown(void **state)
{
    (void) state;
    certificate_free(&ca);
    certificate_free(&certificate);
    return 0;
}

static void start(const struct server_limits *limits)
{
    struct buffer error;
    struct tls_client_settings client = {.ca = slice_of(ca.pem)};
    struct tls_server_settings server = {.identity = {slice_of(certificate.pem), slice_of(certificate.key)},
                                         .min_version = TLS_1_2,
                                         .max_version = TLS_1_3};
    buffer_init(&error, 1000);
    assert_int_equal(tls_context_new_client(&client_context, &client, &error), 0);
    assert_int_equal(tls_context_new_server(&server_context, &server, &error), 0);
    buffer_deinit(&error);
    fixture_start(limits);
    server_secure(fixture.server, on_secure, &fixture);
}

static void stop(void)
{
    fixture_stop(0);
    tls_context_release(client_context);
    tls_context_release(server_context);
}

/* A client over the plain one, and what it has read. */
struct tls_client {
    struct client client;
    struct tls tls;
    struct buffer plain;
    bool ended;
};

static void tls_open(struct tls_client *client, const char *name)
{
    *client = (struct tls_client){.ended = false};
    client_open(&client->client);
    buffer_init(&client->plain, 1 << 20);
    assert_int_equal(tls_init(&client->tls, client_context, name), 0);
}

static void tls_close(struct tls_client *client)
{
    tls_deinit(&client->tls);
    buffer_deinit(&client->plain);
    client_close(&client->client);
}

/* What OpenSSL has taken of what came. */
static void tls_drop(struct tls_client *client, struct slice left)
{
    if (client->client.got.len > left.len) client_drop(&client->client, client->client.got.len - left.len);
}

static void tls_flush(struct tls_client *client)
{
    client_send(&client->client, client->tls.output.data, client->tls.output.len);
    buffer_clear(&client->tls.output);
}

static enum tls_status tls_shake(struct tls_client *client)
{
    struct slice input = buffer_slice(&client->client.got);
    enum tls_status status = tls_handshake(&client->tls, &input);
    tls_drop(client, input);
    tls_flush(client);
    return status;
}

static enum tls_status tls_shake_hands(struct tls_client *client)
{
    enum tls_status status;
    uint64_t begun = uv_hrtime();
    while ((status = tls_shake(client)) == TLS_MORE) {
        if (uv_hrtime() - begun > PATIENCE_MS * 1000000ull) fail_msg("no handshake");
        if (client->client.ended || client->client.reset) return TLS_FAILED;
        client_turn(&client->client);
    }
    return status;
}

static void tls_ask(struct tls_client *client, const char *text)
{
    assert_int_equal(tls_write(&client->tls, text, strlen(text)), 0);
    tls_flush(client);
}

static bool tls_has(struct tls_client *client, const char *text)
{
    struct slice input = buffer_slice(&client->client.got);
    ssize_t n = 1;
    while (n > 0) {
        n = tls_read(&client->tls, &input, buffer_reserve(&client->plain, 70000), 70000);
        if (n > 0) client->plain.len += (size_t) n;
        if (n == UV_EOF) client->ended = true;
    }
    tls_drop(client, input);
    return client->plain.len && memmem(client->plain.data, client->plain.len, text, strlen(text));
}

static void test_requests(void **state)
{
    struct tls_client client;
    (void) state;
    start(&lenient_limits);
    tls_open(&client, "a.example");
    assert_int_equal(tls_shake_hands(&client), TLS_DONE);
    for (unsigned n = 0; n < 3; n++) {
        tls_ask(&client, REQUEST("/short"));
        client_wait(&client.client, tls_has(&client, "\r\n\r\nhello\n"));
        buffer_clear(&client.plain);
    }
    tls_ask(&client, "GET /noise/500000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    client_wait(&client.client, tls_has(&client, "\r\n0\r\n\r\n"));
    assert_true(client.plain.len > 500000);
    client_wait(&client.client, tls_has(&client, "HTTP") && client.ended); /* close_notify */
    tls_close(&client);
    assert_int_equal(server_counts(fixture.server).insecure, 0);
    stop();
}

static void test_a_client_that_speaks_plainly(void **state)
{
    struct client client;
    (void) state;
    start(&lenient_limits);
    client_open(&client);
    client_ask(&client, REQUEST("/short"));
    client_wait(&client, client.ended);
    assert_false(client.reset);
    assert_true(slice_is(buffer_slice(&client.got), "HTTP/1.0 400 Bad Request\r\n\r\n"
                                                    "Client sent an HTTP request to an HTTPS server.\n"));
    client_close(&client);
    assert_int_equal(fixture.handled, 0);
    assert_int_equal(server_counts(fixture.server).insecure, 1);
    stop();
}

static void test_noise(void **state)
{
    static const char noise[] = "\x16\x03\x01\x00\x05noise and more of it, which is no handshake at all";
    struct client client;
    (void) state;
    start(&lenient_limits);
    client_open(&client);
    assert_true(client_send(&client, noise, sizeof(noise)));
    client_wait(&client, client.ended || client.reset);
    client_close(&client);
    assert_int_equal(fixture.handled, 0);
    stop();
}

static void test_a_client_that_does_not_trust_the_server(void **state)
{
    struct tls_client client;
    (void) state;
    start(&lenient_limits);
    tls_open(&client, "b.example");
    assert_int_equal(tls_shake_hands(&client), TLS_FAILED);
    client_wait(&client.client, server_counts(fixture.server).insecure == 1);
    tls_close(&client);
    stop();
}

static void test_no_context(void **state)
{
    struct tls_client client;
    struct tls_context *context;
    (void) state;
    start(&lenient_limits);
    context = server_context;
    server_context = NULL;
    tls_open(&client, "a.example");
    assert_int_equal(tls_shake_hands(&client), TLS_FAILED);
    tls_close(&client);
    server_context = context;
    tls_open(&client, "a.example");
    assert_int_equal(tls_shake_hands(&client), TLS_DONE);
    tls_close(&client);
    assert_int_equal(server_counts(fixture.server).insecure, 1);
    stop();
}

/*
 * Stalls after so many bytes of what it should send until the handshake is over, and in the first request
 * after it.
 */
static void stall_after(size_t bytes, bool in_request)
{
    struct server_limits hasty = lenient_limits;
    struct tls_client client;
    hasty.head_timeout_ms = 100;
    start(&hasty);
    tls_open(&client, "a.example");
    if (in_request) {
        assert_int_equal(tls_shake_hands(&client), TLS_DONE);
        assert_int_equal(tls_write(&client.tls, REQUEST("/short"), strlen(REQUEST("/short"))), 0);
    } else {
        struct slice nothing = {NULL, 0};
        tls_handshake(&client.tls, &nothing);
    }
    assert_true(client.tls.output.len > bytes);
    assert_true(client_send(&client.client, client.tls.output.data, bytes));
    client_wait(&client.client, client.client.ended || client.client.reset);
    assert_int_equal(fixture.handled, 0);
    tls_close(&client);
    stop();
}

static void test_clients_that_stall(void **state)
{
    (void) state;
    stall_after(0, false);
    stall_after(3, false);
    stall_after(100, false);
    stall_after(0, true);
    stall_after(3, true);
    stall_after(20, true);
}

static void test_the_end_of_the_server(void **state)
{
    struct tls_client idle, answered;
    struct client silent;
    (void) state;
    start(&lenient_limits);
    client_open(&silent);
    tls_open(&idle, "a.example");
    tls_open(&answered, "a.example");
    assert_int_equal(tls_shake_hands(&idle), TLS_DONE);
    assert_int_equal(tls_shake_hands(&answered), TLS_DONE);
    tls_ask(&answered, REQUEST("/later"));
    client_wait(&answered.client, fixture.waiting != NULL);
    stop();
    assert_int_equal(fixture.aborted, 1);
    tls_close(&idle);
    tls_close(&answered);
    client_close(&silent);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_a_client_that_speaks_plainly),
        cmocka_unit_test(test_noise),
        cmocka_unit_test(test_a_client_that_does_not_trust_the_server),
        cmocka_unit_test(test_no_context),
        cmocka_unit_test(test_clients_that_stall),
        cmocka_unit_test(test_the_end_of_the_server),
    };
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
