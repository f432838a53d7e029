#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls.h"

#include "certificates.h"

#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Two sessions that talk to each other in memory, a few bytes at a time. */
struct pair {
    struct tls client, server;
    enum tls_status client_status, server_status;
    size_t step; /* bytes that travel at once */
};

static struct certificate ca, other_ca, server_cert, client_cert;

static struct slice pem(const char *text)
{
    return slice_of(text ? text : "");
}

static struct tls_context *client_context(struct tls_client_settings settings)
{
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    if (!settings.ca.data) settings.ca = pem(ca.pem);
    if (tls_context_new_client(&context, &settings, &error) < 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    return context;
}

static struct tls_context *server_context(struct tls_server_settings settings)
{
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    if (!settings.identity.key.data)
        settings.identity = (struct tls_identity){pem(server_cert.pem), pem(server_cert.key)};
    if (!settings.min_version) settings.min_version = TLS_1_2;
    if (!settings.max_version) settings.max_version = TLS_1_3;
    if (tls_context_new_server(&context, &settings, &error) < 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&error)));
    buffer_deinit(&error);
    return context;
}

static int setup(void **state)
{
    (void) state;
    ca = certificate_make(&(struct certificate_request){.name = "test CA", .is_ca = true});
    other_ca = certificate_make(&(struct certificate_request){.name = "other CA", .is_ca = true});
    server_cert = certificate_make(
        &(struct certificate_request){.name = "server", .san = "DNS:cache.example,IP:127.0.0.1", .ca = &ca});
    client_cert =
        certificate_make(&(struct certificate_request){.name = "client", .san = "DNS:monitor", .ca = &ca});
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    certificate_free(&ca);
    certificate_free(&other_ca);
    certificate_free(&server_cert);
    certificate_free(&client_cert);
    return 0;
}

/* Moves what one has to say to the other, who goes on with its handshake; whether anything moved. */
static bool move(struct tls *from, struct tls *to, enum tls_status *status, size_t step)
{
    if (from->output.len == 0) return false;
    for (size_t at = 0; at < from->output.len; at += step) {
        size_t len = from->output.len - at < step ? from->output.len - at : step;
        struct slice input = {from->output.data + at, len};
        while (input.len && *status == TLS_MORE) *status = tls_handshake(to, &input);
        char none[1];
        /* Session tickets come after the handshake. */
        if (input.len && *status == TLS_DONE) assert_true(tls_read(to, &input, none, 1) <= 0);
    }
    buffer_clear(&from->output);
    return true;
}

static void shake_hands(struct pair *pair, struct tls_context *client, struct tls_context *server,
                        const char *name)
{
    struct slice nothing = {NULL, 0};
    assert_int_equal(tls_init(&pair->client, client, name), 0);
    assert_int_equal(tls_init(&pair->server, server, NULL), 0);
    if (!pair->step) pair->step = SIZE_MAX / 2;
    pair->server_status = TLS_MORE;
    pair->client_status = tls_handshake(&pair->client, &nothing);
    while (move(&pair->client, &pair->server, &pair->server_status, pair->step) ||
           move(&pair->server, &pair->client, &pair->client_status, pair->step)) {
    }
    tls_context_release(client);
    tls_context_release(server);
}

static void end(struct pair *pair)
{
    tls_deinit(&pair->client);
    tls_deinit(&pair->server);
}

/* The client fails for a reason that holds `why`. */
static void client_fails(struct tls_client_settings client, struct tls_server_settings server,
                         const char *name, const char *why)
{
    struct pair pair = {0};
    shake_hands(&pair, client_context(client), server_context(server), name);
    assert_int_equal(pair.client_status, TLS_FAILED);
    if (!strstr(tls_why(&pair.client), why)) fail_msg("\"%s\" lacks \"%s\"", tls_why(&pair.client), why);
    end(&pair);
}

static void server_fails(struct tls_client_settings client, struct tls_server_settings server,
                         const char *why)
{
    struct pair pair = {0};
    shake_hands(&pair, client_context(client), server_context(server), "cache.example");
    assert_int_equal(pair.server_status, TLS_FAILED);
    if (!strstr(tls_why(&pair.server), why)) fail_msg("\"%s\" lacks \"%s\"", tls_why(&pair.server), why);
    end(&pair);
}

static void all_is_well(struct tls_client_settings client, struct tls_server_settings server,
                        const char *name)
{
    struct pair pair = {0};
    shake_hands(&pair, client_context(client), server_context(server), name);
    if (pair.client_status != TLS_DONE) fail_msg("the client: %s", tls_why(&pair.client));
    if (pair.server_status != TLS_DONE) fail_msg("the server: %s", tls_why(&pair.server));
    end(&pair);
}

/* Sends a text through, in records cut at `step`. */
static void say(struct tls *from, struct tls *to, size_t step, const char *text)
{
    char heard[4096];
    size_t count = 0;
    assert_int_equal(tls_write(from, text, strlen(text)), 0);
    for (size_t at = 0; at < from->output.len; at += step) {
        struct slice input = {from->output.data + at,
                              from->output.len - at < step ? from->output.len - at : step};
        for (ssize_t n; (n = tls_read(to, &input, heard + count, 7)) != 0;) {
            assert_true(n > 0);
            count += (size_t) n;
        }
        assert_int_equal(input.len, 0);
    }
    buffer_clear(&from->output);
    assert_int_equal(count, strlen(text));
    assert_memory_equal(heard, text, count);
}

static void test_bytes_go_through(void **state)
{
    static const size_t steps[] = {1, 2, 5, 17, 1000, 100000};
    (void) state;
    for (size_t n = 0; n < sizeof(steps) / sizeof(steps[0]); n++) {
        struct pair pair = {.step = steps[n]};
        shake_hands(&pair, client_context((struct tls_client_settings){0}),
                    server_context((struct tls_server_settings){0}), "cache.example");
        assert_int_equal(pair.client_status, TLS_DONE);
        assert_int_equal(pair.server_status, TLS_DONE);
        say(&pair.client, &pair.server, steps[n], "stats\r\n");
        say(&pair.server, &pair.client, steps[n], "STAT pid 1\r\nEND\r\n");
        end(&pair);
    }
}

static void test_an_end_is_told_from_a_cut(void **state)
{
    struct pair pair = {0};
    char at[10];
    (void) state;
    shake_hands(&pair, client_context((struct tls_client_settings){0}),
                server_context((struct tls_server_settings){0}), "cache.example");
    tls_end(&pair.server);
    struct slice input = buffer_slice(&pair.server.output);
    assert_true(input.len > 0);
    assert_int_equal(tls_read(&pair.client, &input, at, sizeof(at)), UV_EOF);
    end(&pair);
}

static void test_the_name_is_verified(void **state)
{
    struct tls_client_settings client = {0};
    struct tls_server_settings server = {0};
    (void) state;
    all_is_well(client, server, "cache.example");
    all_is_well(client, server, "127.0.0.1");
    client_fails(client, server, "other.example",
                 "not for the name of the server, but for cache.example, 127.0.0.1");
    client_fails(client, server, "127.0.0.2", "not for the name of the server");
    client_fails(client, server, "server", "not for the name of the server"); /* a common name is no name */
    client.skip_verify = true;
    all_is_well(client, server, "other.example");
}

static void test_the_issuer_is_verified(void **state)
{
    struct tls_client_settings client = {.ca = pem(other_ca.pem)};
    struct certificate own =
        certificate_make(&(struct certificate_request){.name = "own", .san = "DNS:cache.example"});
    struct tls_server_settings server = {.identity = {pem(own.pem), pem(own.key)}};
    (void) state;
    client_fails(client, (struct tls_server_settings){0}, "cache.example",
                 "a CA that is not among the trusted ones");
    client_fails(client, server, "cache.example", "signed by itself");
    client.ca = pem(own.pem);
    all_is_well(client, server, "cache.example");
    certificate_free(&own);
}

static void test_dates_are_verified(void **state)
{
    struct certificate old = certificate_make(&(struct certificate_request){
        .name = "old", .san = "DNS:cache.example", .ca = &ca, .from_days = -9, .to_days = -2});
    struct certificate young = certificate_make(&(struct certificate_request){
        .name = "young", .san = "DNS:cache.example", .ca = &ca, .from_days = 2, .to_days = 9});
    (void) state;
    client_fails((struct tls_client_settings){0},
                 (struct tls_server_settings){.identity = {pem(old.pem), pem(old.key)}}, "cache.example",
                 "the certificate expired on 2");
    client_fails((struct tls_client_settings){0},
                 (struct tls_server_settings){.identity = {pem(young.pem), pem(young.key)}}, "cache.example",
                 "is not valid before 2");
    certificate_free(&old);
    certificate_free(&young);
}

static void test_client_certificates(void **state)
{
    struct certificate stranger =
        certificate_make(&(struct certificate_request){.name = "stranger", .ca = &other_ca});
    struct tls_client_settings none = {0}, good = {.identity = {pem(client_cert.pem), pem(client_cert.key)}},
                               bad = {.identity = {pem(stranger.pem), pem(stranger.key)}};
    struct tls_server_settings server = {.has_client_ca = true, .client_ca = pem(ca.pem)};
    (void) state;
    server.client_auth = TLS_NO_CLIENT_CERT;
    all_is_well(none, server, "cache.example");
    all_is_well(bad, server, "cache.example");
    server.client_auth = TLS_REQUEST_CLIENT_CERT;
    all_is_well(none, server, "cache.example");
    all_is_well(bad, server, "cache.example");
    server.client_auth = TLS_REQUIRE_ANY_CLIENT_CERT;
    server_fails(none, server, "showed no certificate");
    all_is_well(bad, server, "cache.example");
    server.client_auth = TLS_VERIFY_CLIENT_CERT_IF_GIVEN;
    all_is_well(none, server, "cache.example");
    server_fails(bad, server, "a CA that is not among the trusted ones");
    all_is_well(good, server, "cache.example");
    server.client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
    server_fails(none, server, "showed no certificate");
    server_fails(bad, server, "a CA that is not among the trusted ones");
    all_is_well(good, server, "cache.example");
    certificate_free(&stranger);
}

static void test_alternative_names_of_clients(void **state)
{
    struct slice names[] = {SLICE("one"), SLICE("monitor"), SLICE("MONITOR")};
    struct tls_client_settings client = {.identity = {pem(client_cert.pem), pem(client_cert.key)}};
    struct tls_server_settings server = {.has_client_ca = true,
                                         .client_ca = pem(ca.pem),
                                         .client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
                                         .has_client_sans = true,
                                         .client_sans = names,
                                         .client_san_count = 2};
    (void) state;
    all_is_well(client, server, "cache.example");
    server.client_san_count = 1;
    server_fails(client, server, "none of the allowed alternative names");
    server.client_auth = TLS_VERIFY_CLIENT_CERT_IF_GIVEN;
    server_fails((struct tls_client_settings){0}, server, "showed no certificate");
    server.client_auth = TLS_REQUEST_CLIENT_CERT;
    server_fails((struct tls_client_settings){0}, server, "showed no certificate");
    server_fails(client, server, "none of the allowed alternative names");
    server.client_auth = TLS_NO_CLIENT_CERT; /* nobody is asked for a name */
    all_is_well((struct tls_client_settings){0}, server, "cache.example");
    server.client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT;
    server.client_sans = names + 2;
    server_fails(client, server, "none of the allowed alternative names");
    server.client_san_count = 0;
    server_fails(client, server, "none of the allowed alternative names");
}

static void test_versions_and_ciphers(void **state)
{
    struct tls_server_settings server = {.min_version = TLS_1_2, .max_version = TLS_1_2};
    (void) state;
    all_is_well((struct tls_client_settings){0}, server, "cache.example");
    server.ciphers = "ECDHE-RSA-AES128-GCM-SHA256"; /* the certificate is of another kind */
    server_fails((struct tls_client_settings){0}, server, "no cipher suite in common");
    server.ciphers = "ECDHE-ECDSA-AES128-GCM-SHA256";
    all_is_well((struct tls_client_settings){0}, server, "cache.example");
    server = (struct tls_server_settings){.min_version = TLS_1_1, .max_version = TLS_1_1};
    server_fails((struct tls_client_settings){0}, server, "no TLS version in common");
    server = (struct tls_server_settings){.min_version = TLS_1_2, .max_version = TLS_1_2, .ciphers = ""};
    server_fails((struct tls_client_settings){0}, server, "");
}

static void test_peers_without_tls(void **state)
{
    static const char *const answers[] = {"ERROR\r\n", "STAT pid 1\r\nEND\r\n",
                                          "HTTP/1.1 400 Bad Request\r\n\r\n"};
    struct slice nothing = {NULL, 0};
    struct tls tls;
    (void) state;
    for (size_t n = 0; n < 3; n++) {
        struct tls_context *context = client_context((struct tls_client_settings){0});
        struct slice input = slice_of(answers[n]);
        assert_int_equal(tls_init(&tls, context, "cache.example"), 0);
        assert_int_equal(tls_handshake(&tls, &nothing), TLS_MORE);
        assert_int_equal(tls_handshake(&tls, &input), TLS_FAILED);
        assert_string_equal(tls_why(&tls), "the server does not speak TLS");
        tls_deinit(&tls);
        tls_context_release(context);
    }
    struct tls_context *context = server_context((struct tls_server_settings){0});
    struct slice input = SLICE("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_int_equal(tls_init(&tls, context, NULL), 0);
    assert_int_equal(tls_handshake(&tls, &input), TLS_FAILED);
    assert_true(tls_met_http(&tls));
    tls_deinit(&tls);
    tls_context_release(context);
}

static void test_sessions_are_resumed(void **state)
{
    (void) state;
    for (enum tls_version version = TLS_1_2; version <= TLS_1_3; version++) {
        struct tls_context *client = client_context((struct tls_client_settings){0});
        struct tls_context *server =
            server_context((struct tls_server_settings){.min_version = version, .max_version = version});
        struct pair pair = {0};
        struct slice nothing = {NULL, 0};
        shake_hands(&pair, tls_context_hold(client), tls_context_hold(server), "cache.example");
        assert_false(tls_is_resumed(&pair.client));
        struct ssl_session_st *session = tls_take_session(&pair.client);
        assert_non_null(session);
        end(&pair);

        /* Under a context that was made anew with the same tickets, as after a reload. */
        struct tls_context *next =
            server_context((struct tls_server_settings){.min_version = version, .max_version = version});
        tls_context_share_tickets(next, server);
        assert_int_equal(tls_init(&pair.client, client, "cache.example"), 0);
        assert_int_equal(tls_init(&pair.server, next, NULL), 0);
        tls_resume(&pair.client, session);
        pair.server_status = TLS_MORE;
        pair.client_status = tls_handshake(&pair.client, &nothing);
        while (move(&pair.client, &pair.server, &pair.server_status, 100) ||
               move(&pair.server, &pair.client, &pair.client_status, 100)) {
        }
        assert_int_equal(pair.client_status, TLS_DONE);
        assert_true(tls_is_resumed(&pair.client));
        end(&pair);
        tls_session_release(session);
        tls_context_release(client);
        tls_context_release(server);
        tls_context_release(next);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_through),
        cmocka_unit_test(test_an_end_is_told_from_a_cut),
        cmocka_unit_test(test_the_name_is_verified),
        cmocka_unit_test(test_the_issuer_is_verified),
        cmocka_unit_test(test_dates_are_verified),
        cmocka_unit_test(test_client_certificates),
        cmocka_unit_test(test_alternative_names_of_clients),
        cmocka_unit_test(test_versions_and_ciphers),
        cmocka_unit_test(test_peers_without_tls),
        cmocka_unit_test(test_sessions_are_resumed),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
