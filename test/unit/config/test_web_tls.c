/*
 * Files by the table of exporter-toolkit's own: what starts, what does not, and by which words. What clients
 * then see is in integration/test_web_config.py.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/web_tls.h"

#include "certificates.h"
#include "directory.h"

#include <uv.h>

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

/* The pair, and what comes before the key that a row is about. */
#define PAIR "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n"

static struct certificate server, other, client;

static int setup(void **state)
{
    (void) state;
    directory_open();
    server = certificate_make(&(struct certificate_request){.name = "server", .san = "DNS:localhost"});
    other = certificate_make(&(struct certificate_request){.name = "other"});
    client = certificate_make(&(struct certificate_request){.name = "client"});
    write_file("server.crt", server.pem);
    write_file("server.key", server.key);
    write_file("other.key", other.key);
    write_file("client.pem", client.pem);
    write_file("junk", "junk\n");
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    certificate_free(&server);
    certificate_free(&other);
    certificate_free(&client);
    directory_close();
    return 0;
}

/* Whether it starts (NULL), or the line has these words. */
static void expect(const char *text, const char *why)
{
    struct web_tls tls;
    struct web_config config;
    struct buffer error;
    buffer_init(&error, 4096);
    write_file("web.yml", text);
    int result = web_tls_open(&tls, &config, path_of("web.yml"), &error);
    buffer_append_char(&error, '\0');
    if ((result == 0) != (why == NULL)) fail_msg("%s\nis %d %s", text, result, error.data);
    if (why && !strstr(error.data, why)) fail_msg("%s\n\"%s\" lacks \"%s\"", text, error.data, why);
    assert_null(strchr(error.data, '\n'));
    if (result == 0) assert_int_equal(tls.context != NULL, config.has_tls);
    web_tls_deinit(&tls);
    web_config_deinit(&config);
    buffer_deinit(&error);
}

static void test_the_table(void **state)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", NULL},
        {"# nothing\n", NULL},
        {"these are\nrandom: [ lines\n", "yaml"},
        {"tls_server_config:\n  cert_filse: server.crt\n", "yaml"},
        {"tls_server_config:\n  cert_file: \"\"\n  key_file: server.key\n",
         "missing one of cert or cert_file"},
        {"tls_server_config:\n  cert: \"\"\n  key_file: server.key\n", "missing one of cert or cert_file"},
        {"tls_server_config:\n  cert_file: server.crt\n  key_file: \"\"\n", "missing one of key or key_file"},
        {"tls_server_config:\n  cert_file: server.crt\n  key: \"\"\n", "missing one of key or key_file"},
        {"tls_server_config:\n  cert_file: \"\"\n  key_file: \"\"\n  client_auth_type: \"x\"\n",
         "missing one of cert or cert_file"},
        {"tls_server_config:\n  cert_file: somefile\n  key_file: server.key\n",
         "web.yml: tls_server_config.cert_file: /"},
        {"tls_server_config:\n  cert_file: server.crt\n  key_file: somefile\n",
         "web.yml: tls_server_config.key_file: /"},
        {"tls_server_config:\n  cert_file: somefile\n  key_file: somefile\n", "somefile: no such file"},
        {PAIR "  client_ca_file: junk\n", "client CA's have been configured without a Client Auth Policy"},
        {PAIR "  client_ca_file: junk\n  client_auth_type: NoClientCert\n",
         "client CA's have been configured without a Client Auth Policy"},
        {PAIR "  client_ca_file: somefile\n  client_auth_type: RequireAndVerifyClientCert\n",
         "somefile: no such file"},
        {PAIR "  client_auth_type: RequireAndVerifyClientCert\n", NULL}, /* the system's roots */
        {"basic_auth_users:\n  john: doe\n", "hashedSecret too short to be a bcrypted password"},
        {PAIR "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA2048]\n",
         "unknown cipher: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA2048"},
        {PAIR "  curve_preferences: [CurveP257]\n", "unknown curve: CurveP257"},
        {PAIR "  min_version: TLS111\n", "unknown TLS version: TLS111"},
        {PAIR "  client_auth_type: VerifyClientCertIfGiven\n  client_ca_file: client.pem\n", NULL},
        {PAIR "  client_auth_type: y\n", "invalid ClientAuth: y"},
        {PAIR "  cipher_suites:\n"
              "  - TLS_AES_128_GCM_SHA256\n"
              "  - TLS_AES_256_GCM_SHA384\n"
              "  - TLS_CHACHA20_POLY1305_SHA256\n"
              "  - TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA\n"
              "  - TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA\n"
              "  - TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA\n"
              "  - TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA\n"
              "  - TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256\n"
              "  - TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384\n"
              "  - TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256\n"
              "  - TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384\n"
              "  - TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256\n"
              "  - TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256\n",
         NULL},
        {PAIR "  min_version: TLS12\n  max_version: TLS12\n  cipher_suites: "
              "[TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n",
         NULL},
        {PAIR "  prefer_server_cipher_suites: false\n", NULL},
        {PAIR "  curve_preferences: [CurveP256, CurveP384, CurveP521, X25519]\n", NULL},
        {PAIR "  min_version: TLS13\n  curve_preferences: [CurveP521]\n", NULL},
        {PAIR "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\nhttp_server_config: {http2: false}\n",
         NULL},
        /* HTTP/1.1 alone is spoken, so that the ciphers of HTTP/2 are not missed. */
        {PAIR "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA]\n", NULL},
        {PAIR "  min_version: TLS13\n  max_version: TLS12\n", NULL}, /* each handshake fails instead */
        {"http_server_config:\n  headers:\n    Strict-Transport-Security: max-age=1\n    X-Frame-Options: "
         "deny\n"
         "    X-Content-Type-Options: nosniff\n    X-XSS-Protection: 1\n    Content-Security-Policy: \"\"\n",
         NULL},
        {"http_server_config: {headers: {X-Content-Type-Options: sniff}}",
         "invalid value for X-Content-Type-Options. Expected one of: [\"nosniff\"], but got: \"sniff\""},
        {"http_server_config: {headers: {X-Frame-Options: foo}}",
         "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"foo\""},
        {"http_server_config: {headers: {Content-Type: x}}",
         "HTTP header \"Content-Type\" can not be configured"},
        {PAIR "  client_auth_type: RequireAnyClientCert\n", NULL},
        {PAIR "  client_auth_type: RequireClientCert\n", NULL},
        {PAIR "  client_auth_type: RequestClientCert\n", NULL},
        {PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.pem\n", NULL},
        {PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: /dev/null\n", NULL},
        {PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [one, two]\n", NULL},
        {PAIR "  client_allowed_sans: []\n", NULL},
        {"rate_limit: {interval: 0, burst: 0}", NULL},
        {"rate_limit: {interval: 1s, burst: 0}", NULL},
        {PAIR "basic_auth_users: {alice: " HASH "}\n", NULL},
        {"basic_auth_users: {alice: " HASH "}\n", NULL},
        {"tls_server_config: {cert_file: junk, key_file: server.key}", "expected a PEM block"},
        {"tls_server_config: {cert_file: server.crt, key_file: junk}", "expected a PEM block"},
        {"tls_server_config: {cert_file: server.crt, key_file: other.key}",
         "the key does not belong to the certificate"},
        {"tls_server_config: {client_ca_file: client.pem}", "missing one of cert or cert_file"},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) expect(rows[n].text, rows[n].why);
}

/* Each text is wrong in all that comes later, too. */
static void test_the_order(void **state)
{
#define LATE "  client_ca_file: somefile\n  client_auth_type: x\n"
    static const char *const rows[][2] = {
        {"tls_server_config:\n  curve_preferences: [a]\nhttp_server_config: {headers: {A: "
         "b}}\nbasic_auth_users: {a: b}",
         "unknown curve"},
        {"http_server_config: {headers: {A: b}}\nbasic_auth_users: {a: b}\ntls_server_config:\n" LATE,
         "can not be configured"},
        {"basic_auth_users: {a: b}\ntls_server_config:\n" LATE, "hashedSecret too short"},
        {"tls_server_config:\n" LATE, "missing one of cert or cert_file"},
        {"tls_server_config:\n  cert_file: nofile\n" LATE, "missing one of key or key_file"},
        {"tls_server_config:\n  cert_file: nofile\n  key_file: nokey\n" LATE, "nofile: no such file"},
        {"tls_server_config:\n  cert_file: server.crt\n  key_file: nokey\n" LATE, "nokey: no such file"},
        {"tls_server_config:\n  cert_file: server.crt\n  key_file: junk\n" LATE, "expected a PEM block"},
        {PAIR LATE, "somefile: no such file"},
        {PAIR "  client_ca_file: junk\n  client_auth_type: x\n", "invalid ClientAuth: x"},
        {PAIR "  client_ca_file: junk\n", "without a Client Auth Policy"},
    };
#undef LATE
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) expect(rows[n][0], rows[n][1]);
}

/* The text of a PEM file as a value in YAML. */
static void append_block(struct buffer *text, const char *key, const char *pem)
{
    struct slice rest = slice_of(pem);
    buffer_printf(text, "  %s: |\n", key);
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        buffer_printf(text, "    %.*s\n", SLICE_ARG(line));
    }
}

static void test_certificates_in_the_file_itself(void **state)
{
    struct buffer text;
    (void) state;
    buffer_init(&text, 65536);
    buffer_append_string(&text, "tls_server_config:\n");
    append_block(&text, "cert", server.pem);
    append_block(&text, "key", server.key);
    append_block(&text, "client_ca", client.pem);
    buffer_append_string(&text, "  client_auth_type: RequireAndVerifyClientCert\n");
    size_t len = text.len;
    buffer_append_char(&text, '\0');
    expect(text.data, NULL);
    /* A file wins. */
    text.len = len;
    buffer_append_string(&text, "  cert_file: somefile\n");
    buffer_append_char(&text, '\0');
    expect(text.data, "somefile: no such file");
    buffer_deinit(&text);
}

static void test_no_key_is_shown(void **state)
{
    (void) state;
    struct web_tls tls;
    struct web_config config;
    struct buffer error;
    buffer_init(&error, 4096);
    write_file("web.yml", "tls_server_config:\n  cert_file: server.crt\n  key: SECRET\n");
    assert_int_equal(web_tls_open(&tls, &config, path_of("web.yml"), &error), UV_EINVAL);
    assert_null(memmem(error.data, error.len, "SECRET", 6));
    web_tls_deinit(&tls);
    web_config_deinit(&config);
    buffer_deinit(&error);
}

static int load(struct web_tls *tls, struct web_config *config, const char *text)
{
    struct buffer error;
    buffer_init(&error, 4096);
    write_file("web.yml", text);
    int result = web_tls_open(tls, config, path_of("web.yml"), &error);
    buffer_deinit(&error);
    return result;
}

/* Half of a pair that was changed just now may be followed by the other half. */
static void test_a_pair_that_is_being_replaced(void **state)
{
    struct web_tls tls;
    struct web_config config;
    (void) state;
    write_file("new.key", other.key);
    assert_int_equal(load(&tls, &config, "tls_server_config: {cert_file: server.crt, key_file: new.key}"),
                     UV_EAGAIN);
    web_tls_deinit(&tls);
    web_config_deinit(&config);
    write_file("new.key", "");
    assert_int_equal(load(&tls, &config, "tls_server_config: {cert_file: server.crt, key_file: new.key}"),
                     UV_EAGAIN);
    assert_true(tls.cert_file.size > 0);
    web_tls_deinit(&tls);
    web_config_deinit(&config);
    write_file("new.key", "junk");
    assert_int_equal(load(&tls, &config, "tls_server_config: {cert_file: server.crt, key_file: new.key}"),
                     UV_EINVAL);
    web_tls_deinit(&tls);
    web_config_deinit(&config);
}

static void test_rules_for_clients(void **state)
{
    static const char *const texts[] = {
        PAIR,
        PAIR "  client_auth_type: RequestClientCert\n",
        PAIR "  client_auth_type: RequireAnyClientCert\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: client.pem\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: junk\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [a, b]\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [\"a 1 b\"]\n",
        PAIR "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: []\n"};
    enum { COUNT = sizeof(texts) / sizeof(texts[0]) };
    struct web_tls tls[COUNT], again;
    struct web_config config[COUNT], config_again;
    (void) state;
    for (size_t n = 0; n < COUNT; n++) assert_int_equal(load(&tls[n], &config[n], texts[n]), 0);
    for (size_t n = 0; n < COUNT; n++) {
        assert_int_equal(load(&again, &config_again, texts[n]), 0);
        for (size_t m = 0; m < COUNT; m++)
            assert_int_equal(
                slice_equal(buffer_slice(&again.client_rules), buffer_slice(&tls[m].client_rules)), n == m);
        web_tls_deinit(&again);
        web_config_deinit(&config_again);
    }
    for (size_t n = 0; n < COUNT; n++) {
        web_tls_deinit(&tls[n]);
        web_config_deinit(&config[n]);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_table),
        cmocka_unit_test(test_the_order),
        cmocka_unit_test(test_certificates_in_the_file_itself),
        cmocka_unit_test(test_no_key_is_shown),
        cmocka_unit_test(test_a_pair_that_is_being_replaced),
        cmocka_unit_test(test_rules_for_clients),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
