/* Addresses and sockets as the options name them, and the one line when that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "web/listen.h"

#include "base/container.h"
#include "loop.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uv_loop_t loop;
static struct server *server;
static bool closed;
static struct buffer error;

static void on_request(void *context, struct exchange *exchange, const struct request *request)
{
    (void) context, (void) exchange, (void) request;
    fail_msg("nobody asks");
}

static void on_closed(void *context)
{
    (void) context;
    closed = true;
}

static int start(void **state)
{
    static const struct server_limits limits = {.max_connections = 1,
                                                .max_unread = 1,
                                                .head_timeout_ms = 1000,
                                                .idle_timeout_ms = 1000,
                                                .answer_timeout_ms = 1000};
    (void) state;
    closed = false;
    loop_open(&loop);
    buffer_init(&error, 4096);
    return server_new(&server, &loop, &limits, on_request, NULL);
}

static int stop(void **state)
{
    (void) state;
    server_close(server, 0, on_closed, NULL);
    loop_run_until(&loop, &closed);
    loop_close(&loop);
    buffer_deinit(&error);
    return 0;
}

static int listen_on(char **addresses, size_t count)
{
    struct options options = {.listen_addresses = {.items = addresses, .count = count}};
    return listen_all(server, &options, &error);
}

static unsigned count_listeners(void)
{
    struct buffer name;
    unsigned count = 0;
    buffer_init(&name, 1024);
    while (server_listener_name(server, count, &name)) count++;
    buffer_deinit(&name);
    return count;
}

static void expect_error(const char *words)
{
    buffer_append_char(&error, '\0');
    if (!strstr(error.data, words)) fail_msg("%s", error.data);
    assert_null(strchr(error.data, '\n'));
}

static void test_several_addresses(void **state)
{
    (void) state;
    char *addresses[] = {(char[]){"127.0.0.1:0"}, (char[]){"127.0.0.2:0"}};
    assert_int_equal(listen_on(addresses, 2), 0);
    assert_int_equal(error.len, 0);
    assert_int_equal(count_listeners(), 2);
}

/* The log names the ports that the system chose. */
static void test_the_log_names_each(void **state)
{
    (void) state;
    int ends[2];
    char text[1024];
    char *addresses[] = {(char[]){"127.0.0.1:0"}, (char[]){"127.0.0.2:0"}};
    assert_int_equal(listen_on(addresses, 2), 0);
    assert_int_equal(pipe(ends), 0);
    log_configure(LOG_INFO, LOG_LOGFMT, ends[1]);
    listen_log(server, NULL);
    log_configure(LOG_INFO, LOG_LOGFMT, STDERR_FILENO);
    ssize_t len = read(ends[0], text, sizeof(text) - 1);
    assert_true(len > 0);
    text[len] = '\0';
    assert_non_null(strstr(text, "address=127.0.0.1:"));
    assert_non_null(strstr(text, "address=127.0.0.2:"));
    assert_null(strstr(text, ":0\n"));
    close(ends[0]);
    close(ends[1]);
}

static void test_a_malformed_address(void **state)
{
    (void) state;
    char *addresses[] = {(char[]){"127.0.0.1:0"}, (char[]){"127.0.0.1:\x1b"
                                                           "99999"}};
    assert_int_equal(listen_on(addresses, 2), UV_EINVAL);
    expect_error("--web.listen-address: \"127.0.0.1:\\u001b99999\": expected");
}

/* The address is good, but not for this machine: no mistake of the command line's form. */
static void test_an_address_of_another_machine(void **state)
{
    (void) state;
    char *addresses[] = {(char[]){"192.0.2.1:0"}};
    assert_int_equal(listen_on(addresses, 1), UV_EADDRNOTAVAIL);
    expect_error("\"192.0.2.1:0\": address not available; expected an address of this machine, or :port");
}

/* Port 0 is any free one. The host does not count. Not every kernel has such sockets. */
static void test_sockets_of_virtual_machines(void **state)
{
    static const char *const good[] = {"vsock://:0", "vsock://2:0", "vsock://any:0/"};
    (void) state;
    int probe = socket(AF_VSOCK, SOCK_STREAM, 0);
    for (size_t n = 0; n < ARRAY_LEN(good); n++) {
        char text[32], *addresses[] = {text};
        snprintf(text, sizeof(text), "%s", good[n]);
        struct buffer name;
        buffer_clear(&error);
        buffer_init(&name, 64);
        if (probe < 0) {
            assert_int_equal(listen_on(addresses, 1), UV_EAFNOSUPPORT);
            expect_error(text);
            continue;
        }
        assert_int_equal(listen_on(addresses, 1), 0);
        assert_true(server_listener_name(server, (unsigned) n, &name));
        assert_true(slice_starts(buffer_slice(&name), "vsock://:"));
        assert_true(name.len > strlen("vsock://:0"));
        buffer_deinit(&name);
    }
    if (probe >= 0) close(probe);
}

static void test_malformed_addresses_of_virtual_machines(void **state)
{
    static const char *const bad[] = {
        "vsock://",    "vsock://9150",   "vsock://:",      "vsock://:http", "vsock://:4294967295",
        "vsock://:-1", "vsock://:9150:", "vsock:///:9150", "vsock://: 9150"};
    (void) state;
    for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
        char text[32], *addresses[] = {text};
        snprintf(text, sizeof(text), "%s", bad[n]);
        buffer_clear(&error);
        assert_int_equal(listen_on(addresses, 1), UV_EINVAL);
        expect_error("expected a port from 0 to 4294967294, as in vsock://:9150");
    }
    assert_int_equal(count_listeners(), 0);
}

static void test_sockets_from_systemd(void **state)
{
    (void) state;
    static const struct {
        const char *pid, *count;
    } bad[] = {{NULL, NULL}, {"1", "1"}, {"", "0"}, {"", NULL}, {NULL, "1"}, {"", "x"}};
    char mine[32];
    struct options options = {.systemd_socket = true};
    snprintf(mine, sizeof(mine), "%ld", (long) getpid());
    for (size_t n = 0; n < ARRAY_LEN(bad); n++) {
        unsetenv("LISTEN_PID"), unsetenv("LISTEN_FDS");
        if (bad[n].pid) setenv("LISTEN_PID", *bad[n].pid ? bad[n].pid : mine, 1);
        if (bad[n].count) setenv("LISTEN_FDS", bad[n].count, 1);
        buffer_clear(&error);
        assert_int_equal(listen_all(server, &options, &error), UV_ENOTSOCK);
        expect_error("--web.systemd-socket");
    }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_addresses),           TEST(test_the_log_names_each),
        TEST(test_a_malformed_address),         TEST(test_an_address_of_another_machine),
        TEST(test_sockets_of_virtual_machines), TEST(test_malformed_addresses_of_virtual_machines),
        TEST(test_sockets_from_systemd),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
