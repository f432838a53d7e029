/*
 * One allocation fails, each in its turn, while both sides make contexts, shake hands and talk: those of the
 * program and those inside OpenSSL. $FAILING_CALLS=all tries every one, a number about so many of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "net/tls.h"

#include "certificates.h"
#include "failing.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

#define TRIED "60"

static struct certificate ca, server_cert, client_cert;

static struct slice pem(const char *text)
{
    return slice_of(text);
}

/*
 * The context that is not made loads OpenSSL before all else: it takes its allocations from the program only
 * if it has made none so far.
 */
static int setup(void **state)
{
    struct buffer error;
    (void) state;
    buffer_init(&error, 1000);
    struct tls_context *none = NULL;
    assert_int_equal(
        tls_context_new_server(&none, &(struct tls_server_settings){.min_version = TLS_1_2}, &error),
        UV_EINVAL);
    buffer_deinit(&error);
    ca = certificate_make(&(struct certificate_request){.name = "test CA", .is_ca = true});
    server_cert = certificate_make(
        &(struct certificate_request){.name = "server", .san = "DNS:cache.example", .ca = &ca});
    client_cert = certificate_make(&(struct certificate_request){.name = "client", .ca = &ca});
    return 0;
}

static int teardown(void **state)
{
    (void) state;
    certificate_free(&ca);
    certificate_free(&server_cert);
    certificate_free(&client_cert);
    return 0;
}

/* Both sides of a connection. */
struct pair {
    enum tls_version version;
    struct tls_context *contexts[2];
    struct tls sides[2];
    enum tls_status status[2];
    bool heard;
};

/* Each side is made. Returns false if memory is missing, which is the only reason that there may be. */
static bool open_pair(struct pair *pair)
{
    struct tls_client_settings client = {.ca = pem(ca.pem),
                                         .identity = {pem(client_cert.pem), pem(client_cert.key)}};
    struct tls_server_settings server = {.identity = {pem(server_cert.pem), pem(server_cert.key)},
                                         .client_ca = pem(ca.pem),
                                         .has_client_ca = true,
                                         .client_auth = TLS_REQUIRE_AND_VERIFY_CLIENT_CERT,
                                         .min_version = pair->version,
                                         .max_version = pair->version};
    struct buffer error;
    buffer_init(&error, 1000);
    bool made = tls_context_new_client(&pair->contexts[0], &client, &error) == 0 &&
                tls_context_new_server(&pair->contexts[1], &server, &error) == 0 &&
                tls_init(&pair->sides[0], pair->contexts[0], "cache.example") == 0 &&
                tls_init(&pair->sides[1], pair->contexts[1], NULL) == 0;
    buffer_deinit(&error);
    return made;
}

static void close_pair(struct pair *pair)
{
    for (unsigned n = 0; n < 2; n++) {
        tls_deinit(&pair->sides[n]);
        tls_context_release(pair->contexts[n]);
    }
}

/* One side goes on with what the other has said, and takes what comes behind the handshake. */
static void go_on(struct pair *pair, unsigned n)
{
    struct buffer *said = &pair->sides[1 - n].output;
    struct slice input = buffer_slice(said);
    char text[64];
    if (pair->status[n] == TLS_MORE) pair->status[n] = tls_handshake(&pair->sides[n], &input);
    while (pair->status[n] == TLS_DONE && input.len) {
        ssize_t len = tls_read(&pair->sides[n], &input, text, sizeof(text));
        if (len < 0) pair->status[n] = TLS_FAILED;
        if (len < 0) break;
        pair->heard |= len == 5 && memcmp(text, "hello", 5) == 0;
    }
    buffer_clear(said);
}

/* Shakes hands, and lets the client say a word. Returns true if the server has heard it. */
static bool talk(struct pair *pair)
{
    if (!open_pair(pair)) return false;
    pair->status[0] = pair->status[1] = TLS_MORE;
    do {
        go_on(pair, 0);
        go_on(pair, 1);
    } while (pair->sides[1].output.len);
    for (unsigned n = 0; n < 2; n++) assert_true(strlen(tls_why(&pair->sides[n])) > 0);
    if (pair->status[0] != TLS_DONE || pair->status[1] != TLS_DONE) {
        /* Nobody waits for ever: one side at least knows that it has failed. */
        assert_true(pair->status[0] == TLS_FAILED || pair->status[1] == TLS_FAILED);
        return false;
    }
    if (tls_write(&pair->sides[0], "hello", 5) < 0) return false;
    go_on(pair, 1);
    assert_true(pair->heard || pair->status[1] == TLS_FAILED);
    return pair->heard;
}

/* Returns how many allocations there were. */
static unsigned try_with(enum tls_version version, unsigned call, bool *whole)
{
    struct pair pair = {.version = version};
    allocations = 0;
    failing = call;
    *whole = talk(&pair);
    failing = 0;
    unsigned count = allocations;
    close_pair(&pair);
    return count;
}

static void test_each_allocation(void **state)
{
    const char *wanted = getenv("FAILING_CALLS");
    unsigned failures = 0;
    bool whole;
    (void) state;
    if (!wanted) wanted = TRIED;
    for (enum tls_version version = TLS_1_2; version <= TLS_1_3; version++) {
        try_with(version, 0, &whole); /* what is made once and kept */
        unsigned count = try_with(version, 0, &whole);
        assert_true(whole);
        assert_true(count > 500);
        unsigned step = strcmp(wanted, "all") == 0 ? 1 : count / (unsigned) strtoul(wanted, NULL, 10) + 1;
        for (unsigned call = 1; call <= count; call += step) {
            try_with(version, call, &whole);
            failures += !whole;
            try_with(version, 0, &whole);
            assert_true(whole);
        }
    }
    assert_true(failures > 0);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation)};
    return cmocka_run_group_tests(tests, setup, teardown);
}
