#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls_context.h"

#include "certificates.h"

#include <uv.h>

static struct certificate server, other;

static int setup(void **state)
{
    (void) state;
    server = certificate_make(&(struct certificate_request){.name = "server"});
    other = certificate_make(&(struct certificate_request){.name = "other"});
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    certificate_free(&server);
    certificate_free(&other);
    return 0;
}

static void bad_server_pair(struct slice certificate, struct slice key, int code, const char *why)
{
    struct tls_server_settings settings = {
        .identity = {certificate, key}, .min_version = TLS_1_2, .max_version = TLS_1_3};
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    assert_int_equal(tls_context_new_server(&context, &settings, &error), code);
    buffer_append_char(&error, '\0');
    if (!strstr(error.data, why)) fail_msg("\"%s\" lacks \"%s\"", error.data, why);
    buffer_deinit(&error);
}

static void bad_server(struct slice certificate, struct slice key, const char *why)
{
    bad_server_pair(certificate, key, UV_EINVAL, why);
}

static void test_bad_files_are_named(void **state)
{
    (void) state;
    bad_server(SLICE("junk"), slice_of(server.key), "the certificate: expected a PEM block");
    bad_server(SLICE(""), slice_of(server.key), "the certificate: expected a PEM block");
    bad_server(slice_of(server.pem), SLICE("junk"), "the key: expected a PEM block");
    bad_server_pair(slice_of(server.pem), slice_of(other.key), UV_EAGAIN,
                    "the key does not belong to the certificate");
    bad_server(slice_of(server.key), slice_of(server.key), "the certificate: expected a PEM block");
    bad_server(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), slice_of(server.key),
               "the certificate: ");
}

static void bad_ca(struct slice ca, const char *why)
{
    struct tls_client_settings settings = {.ca = ca};
    struct tls_context *context = NULL;
    struct buffer error;
    buffer_init(&error, 1000);
    assert_int_equal(tls_context_new_client(&context, &settings, &error), UV_EINVAL);
    buffer_append_char(&error, '\0');
    if (!strstr(error.data, why)) fail_msg("\"%s\" lacks \"%s\"", error.data, why);
    buffer_deinit(&error);
}

static void test_a_ca_file_holds_certificates(void **state)
{
    (void) state;
    bad_ca(SLICE("junk"), "the CA certificates: expected PEM blocks");
    bad_ca(slice_of(server.key), "the CA certificates: expected PEM blocks");
    bad_ca(SLICE("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "the CA certificates: ");
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_files_are_named),
        cmocka_unit_test(test_a_ca_file_holds_certificates),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
