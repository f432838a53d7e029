#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config/web_config.h"

#include <stdio.h>
#include <string.h>
#include <uv.h>

#define HASH "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"

static void good(struct web_config *config, const char *text)
{
    struct buffer error;
    buffer_init(&error, 4096);
    if (web_config_read(config, "/etc/web.yml", slice_of(text), &error) < 0)
        fail_msg("%s\n%.*s", text, SLICE_ARG(buffer_slice(&error)));
    assert_int_equal(error.len, 0);
    buffer_deinit(&error);
}

/* Refused with a line that names the file and holds `why`. */
static void bad(const char *text, const char *why)
{
    struct web_config config;
    struct buffer error;
    buffer_init(&error, 4096);
    int result = web_config_read(&config, "/etc/web.yml", slice_of(text), &error);
    buffer_append_char(&error, '\0');
    if (result != UV_EINVAL) fail_msg("%s\nis taken", text);
    if (strncmp(error.data, "/etc/web.yml: yaml: ", 20) != 0 || !strstr(error.data, why) ||
        strchr(error.data, '\n'))
        fail_msg("%s\n%s\nlacks %s", text, error.data, why);
    web_config_deinit(&config);
    buffer_deinit(&error);
}

static void test_files_that_say_nothing(void **state)
{
    static const char *const texts[] = {"",
                                        "{}",
                                        "# nothing\n",
                                        "---\n",
                                        "~",
                                        "tls_server_config:\n",
                                        "tls_server_config: {}",
                                        "http_server_config:\nrate_limit:\nbasic_auth_users:\n"};
    struct web_config config;
    (void) state;
    for (size_t n = 0; n < sizeof(texts) / sizeof(texts[0]); n++) {
        good(&config, texts[n]);
        assert_false(config.has_tls);
        assert_true(config.http2);
        assert_int_equal(config.header_count, 0);
        assert_int_equal(config.user_count, 0);
        assert_false(config.has_rate_limit);
        web_config_deinit(&config);
    }
}

static void test_everything_that_can_be_said(void **state)
{
    struct web_config config;
    (void) state;
    good(&config,
         "tls_server_config:\n"
         "  cert_file: server.crt\n"
         "  key_file: /abs/server.key\n"
         "  client_ca_file: sub/ca.pem\n"
         "  client_auth_type: RequireAndVerifyClientCert\n"
         "  client_allowed_sans: [one, 127.0.0.1]\n"
         "  min_version: TLS11\n"
         "  max_version: TLS12\n"
         "  cipher_suites: [TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]\n"
         "  prefer_server_cipher_suites: no\n"
         "  curve_preferences: [CurveP521, X25519]\n"
         "http_server_config:\n"
         "  http2: off\n"
         "  headers:\n"
         "    Strict-Transport-Security: max-age=31536000\n"
         "    X-XSS-Protection: 1\n"
         "    X-Frame-Options: deny\n"
         "    Content-Security-Policy: \"\"\n"
         "basic_auth_users:\n"
         "  alice: " HASH "\n"
         "  \"\": " HASH "\n"
         "rate_limit: { interval: 250ms, burst: 5 }\n");
    assert_true(config.has_tls);
    assert_string_equal(config.tls.cert_file, "/etc/server.crt");
    assert_string_equal(config.tls.key_file, "/abs/server.key");
    assert_string_equal(config.tls.client_ca_file, "/etc/sub/ca.pem");
    assert_int_equal(config.tls.client_allowed_san_count, 2);
    assert_true(slice_is(config.tls.client_allowed_sans[1], "127.0.0.1"));
    assert_int_equal(config.tls.min_version, TLS_1_1);
    assert_int_equal(config.tls.max_version, TLS_1_2);
    /* In Go's order, whatever the file's. */
    assert_string_equal(config.tls.ciphers, "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384");
    assert_string_equal(config.tls.groups, "X25519:P-521");
    assert_false(config.http2);
    assert_int_equal(config.header_count, 4);
    assert_string_equal(config.headers[1].value, "1");
    assert_string_equal(config.headers[3].value, "");
    assert_int_equal(config.user_count, 2);
    assert_string_equal(web_config_hash(&config, SLICE("alice")), HASH);
    assert_non_null(web_config_hash(&config, SLICE("")));
    assert_null(web_config_hash(&config, SLICE("Alice")));
    assert_true(config.has_rate_limit);
    assert_int_equal(config.rate_interval_ns, 250000000);
    assert_int_equal(config.rate_burst, 5);
    web_config_deinit(&config);
}

static void test_what_switches_tls_on(void **state)
{
    static const char *const on[] = {
        "cert: x",           "cert_file: x",       "key: x", "key_file: x", "client_ca: x",
        "client_ca_file: x", "client_auth_type: x"};
    static const char *const off[] = {"min_version: TLS13",
                                      "max_version: TLS12",
                                      "cipher_suites: []",
                                      "curve_preferences: []",
                                      "prefer_server_cipher_suites: true",
                                      "client_allowed_sans: [a]",
                                      "cert_file: \"\"",
                                      "cert:"};
    char text[200];
    struct web_config config;
    (void) state;
    for (size_t n = 0; n < sizeof(on) / sizeof(on[0]); n++) {
        snprintf(text, sizeof(text), "tls_server_config: { %s }", on[n]);
        good(&config, text);
        assert_true(config.has_tls);
        web_config_deinit(&config);
    }
    for (size_t n = 0; n < sizeof(off) / sizeof(off[0]); n++) {
        snprintf(text, sizeof(text), "tls_server_config: { %s }", off[n]);
        good(&config, text);
        assert_false(config.has_tls);
        web_config_deinit(&config);
    }
}

static void test_ciphers_of_tls_1_3_alone(void **state)
{
    struct web_config config;
    (void) state;
    good(&config, "tls_server_config: { cipher_suites: [TLS_AES_128_GCM_SHA256] }");
    assert_string_equal(config.tls.ciphers, "");
    web_config_deinit(&config);
    good(&config, "tls_server_config: { cipher_suites: [] }");
    assert_null(config.tls.ciphers);
    web_config_deinit(&config);
}

static void test_rates(void **state)
{
    struct web_config config;
    (void) state;
    good(&config, "rate_limit: { interval: 0, burst: 0 }");
    assert_false(config.has_rate_limit);
    web_config_deinit(&config);
    good(&config, "rate_limit: { interval: 1000 }"); /* nanoseconds */
    assert_true(config.has_rate_limit);
    assert_int_equal(config.rate_interval_ns, 1000);
    assert_int_equal(config.rate_burst, 0);
    web_config_deinit(&config);
    good(&config, "rate_limit: { interval: -1s, burst: 3 }"); /* no limit */
    assert_false(config.has_rate_limit);
    web_config_deinit(&config);
}

static void test_only_the_first_document_counts(void **state)
{
    struct web_config config;
    (void) state;
    good(&config, "# head\n---\nhttp_server_config: { http2: false }\n---\nnonsense: [\n");
    assert_false(config.http2);
    web_config_deinit(&config);
    good(&config, "http_server_config: { http2: false }\n...\nnonsense: [\n");
    assert_false(config.http2);
    web_config_deinit(&config);
}

static void test_what_is_wrong_is_named(void **state)
{
    static const char *const rows[][2] = {
        {"hier steht\nnichts: [", "expected YAML"},
        {"random words", "a mapping"},
        {"- a\n", "a mapping"},
        {"tls_server_config:\n  cert_filse: x\n",
         "2:3: tls_server_config.cert_filse: unknown key (did you mean cert_file?)"},
        {"tls_config: {}", "unknown key"},
        {"basic_auth_users: {}\nbasic_auth_users: {}", "2:1"},
        {"tls_server_config: { cipher_suites: [TLS_RSA_WITH_AES_128_SHA2048] }",
         "unknown cipher: TLS_RSA_WITH_AES_128_SHA2048"},
        {"tls_server_config: { cipher_suites: [TLS_RSA_WITH_AES_128_CBC_SHA] }", "unknown cipher"},
        {"tls_server_config: { curve_preferences: [CurveP257] }", "unknown curve: CurveP257"},
        {"tls_server_config: { min_version: TLS111 }", "unknown TLS version: TLS111"},
        {"tls_server_config: { max_version: 1.2 }", "unknown TLS version"},
        {"tls_server_config: { min_version: \"TLS12\\n\" }", "unknown TLS version: TLS12\\"},
        {"tls_server_config: { cipher_suites: [\"A\\nB\"] }", "unknown cipher: A\\"},
        {"tls_server_config: { curve_preferences: [\"A\\nB\"] }", "unknown curve: A\\"},
        {"tls_server_config: { cert_file: [a] }", "a text"},
        {"http_server_config: { http2: maybe }", "true or false"},
        {"http_server_config: { headers: { Content-Type: a } }",
         "HTTP header \"Content-Type\" can not be configured"},
        {"http_server_config: { headers: { x-frame-options: deny } }",
         "HTTP header \"x-frame-options\" can not be configured"},
        {"http_server_config: { headers: { X-Frame-Options: foo } }",
         "invalid value for X-Frame-Options. Expected one of: [\"deny\" \"sameorigin\"], but got: \"foo\""},
        {"http_server_config: { headers: { X-Content-Type-Options: sniff } }",
         "invalid value for X-Content-Type-Options"},
        {"http_server_config: { headers: { X-Content-Type-Options: \"\" } }",
         "invalid value for X-Content-Type-Options"},
        {"http_server_config: { headers: { X-XSS-Protection: \"a\\r\\nSet-Cookie: b\" } }", "one line"},
        {"http_server_config: { headers: { A: b } }\nbasic_auth_users: [john]", "a mapping of users"},
        {"basic_auth_users: [john]", "a mapping of users"},
        {"rate_limit: { interval: soon }", "a duration"},
        {"rate_limit: { burst: many }", "a number"},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) bad(rows[n][0], rows[n][1]);
}

static void test_hashes(void **state)
{
    static const struct {
        const char *users, *error;
    } rows[] = {
        {"{ a: " HASH " }", NULL},
        {"{ john: doe }",
         "/etc/web.yml: basic_auth_users: the hash of \"john\": expected a bcrypt hash of at least 59 "
         "characters (hashedSecret too short to be a bcrypted password)"},
        {"{ a: " HASH ", john: }", "the hash of \"john\""},
        {"{ \"a\\n\": SECRET }", "the hash of \"a\\n\""},
    };
    (void) state;
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        struct web_config config;
        struct buffer error;
        char text[200];
        snprintf(text, sizeof(text), "basic_auth_users: %s", rows[n].users);
        good(&config, text);
        buffer_init(&error, 4096);
        assert_int_equal(web_config_check_hashes(&config, &error), rows[n].error == NULL);
        buffer_append_char(&error, '\0');
        if (!strstr(error.data, rows[n].error ? rows[n].error : "")) fail_msg("%s", error.data);
        assert_null(strstr(error.data, "SECRET"));
        assert_null(strstr(error.data, "doe"));
        buffer_deinit(&error);
        web_config_deinit(&config);
    }
}

/* Neither a hash nor a key may get into a log. */
static void test_no_secret_is_shown(void **state)
{
    struct web_config config;
    struct buffer error;
    (void) state;
    buffer_init(&error, 4096);
    web_config_read(&config, "w", SLICE("basic_auth_users: { a: [SECRET] }"), &error);
    assert_null(memmem(error.data, error.len, "SECRET", 6));
    web_config_deinit(&config);
    web_config_read(&config, "w", SLICE("tls_server_config: { key: [SECRET] }"), &error);
    assert_null(memmem(error.data, error.len, "SECRET", 6));
    web_config_deinit(&config);
    buffer_deinit(&error);
}

static void test_types_of_client_authentication(void **state)
{
    static const struct {
        const char *text;
        enum tls_client_auth type;
    } rows[] = {{"", TLS_NO_CLIENT_CERT},
                {"NoClientCert", TLS_NO_CLIENT_CERT},
                {"RequestClientCert", TLS_REQUEST_CLIENT_CERT},
                {"RequireClientCert", TLS_REQUIRE_ANY_CLIENT_CERT},
                {"RequireAnyClientCert", TLS_REQUIRE_ANY_CLIENT_CERT},
                {"VerifyClientCertIfGiven", TLS_VERIFY_CLIENT_CERT_IF_GIVEN},
                {"RequireAndVerifyClientCert", TLS_REQUIRE_AND_VERIFY_CLIENT_CERT}};
    struct web_config config;
    enum tls_client_auth type;
    struct buffer error;
    char text[100];
    (void) state;
    buffer_init(&error, 1000);
    for (size_t n = 0; n < sizeof(rows) / sizeof(rows[0]); n++) {
        snprintf(text, sizeof(text), "tls_server_config: { client_auth_type: \"%s\" }", rows[n].text);
        good(&config, text);
        assert_true(web_config_client_auth(&config, &type, &error));
        assert_int_equal(type, rows[n].type);
        web_config_deinit(&config);
    }
    good(&config, "tls_server_config: { client_auth_type: x }");
    assert_false(web_config_client_auth(&config, &type, &error));
    assert_memory_equal(error.data, "invalid ClientAuth: x", error.len);
    web_config_deinit(&config);
    buffer_deinit(&error);
}

static void test_a_missing_file(void **state)
{
    struct web_config config;
    struct buffer error;
    (void) state;
    buffer_init(&error, 1000);
    assert_int_equal(web_config_load(&config, "/nowhere/web.yml", &error), UV_ENOENT);
    buffer_append_char(&error, '\0');
    assert_string_equal(error.data, "--web.config.file: /nowhere/web.yml: no such file or directory");
    web_config_deinit(&config);
    buffer_deinit(&error);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_that_say_nothing),
        cmocka_unit_test(test_everything_that_can_be_said),
        cmocka_unit_test(test_what_switches_tls_on),
        cmocka_unit_test(test_ciphers_of_tls_1_3_alone),
        cmocka_unit_test(test_rates),
        cmocka_unit_test(test_only_the_first_document_counts),
        cmocka_unit_test(test_what_is_wrong_is_named),
        cmocka_unit_test(test_hashes),
        cmocka_unit_test(test_no_secret_is_shown),
        cmocka_unit_test(test_types_of_client_authentication),
        cmocka_unit_test(test_a_missing_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
