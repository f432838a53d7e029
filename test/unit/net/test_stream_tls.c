#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "net/stream.h"
#include "net/tls.h"

#include "certificates.h"
#include "loop.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* One side of a pair of connected sockets. */
struct end {
    struct stream stream;
    char bytes[70000];
    size_t lend;     /* bytes to lend */
    size_t received; /* in all; byte n of what is sent is the low byte of n */
    size_t pause;    /* stops reading each time so much has come; 0 for never */
    bool paused, reads_at_once;
    int status;  /* that ended reading */
    int secured; /* status of the handshake, 1 before */
    char why[200];
    unsigned handshakes, reads, written, closed;
};

struct world {
    uv_loop_t loop;
    struct end client, server;
    struct tls_context *client_context, *server_context;
};

static struct certificate ca, certificate;
static struct world world;

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

static void end_init(struct end *end, int fd)
{
    memset(end, 0, sizeof(*end));
    end->lend = sizeof(end->bytes);
    end->secured = 1;
    stream_init(&end->stream, &world.loop);
    assert_int_equal(uv_tcp_init(&world.loop, &end->stream.tcp), 0);
    assert_int_equal(uv_tcp_open(&end->stream.tcp, fd), 0);
    end->stream.open = true;
}

static int set_up(void **state)
{
    int fds[2];
    struct buffer error;
    (void) state;
    memset(&world, 0, sizeof(world));
    loop_open(&world.loop);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    end_init(&world.client, fds[0]);
    end_init(&world.server, fds[1]);
    buffer_init(&error, 1000);
    struct tls_client_settings client = {.ca = slice_of(ca.pem)};
    struct tls_server_settings server = {.identity = {slice_of(certificate.pem), slice_of(certificate.key)},
                                         .min_version = TLS_1_2,
                                         .max_version = TLS_1_3};
    assert_int_equal(tls_context_new_client(&world.client_context, &client, &error), 0);
    assert_int_equal(tls_context_new_server(&world.server_context, &server, &error), 0);
    buffer_deinit(&error);
    return 0;
}

static void on_end_closed(struct stream *stream)
{
    container_of(stream, struct end, stream)->closed++;
}

static void close_end(struct end *end)
{
    stream_close(&end->stream, on_end_closed);
    loop_run_until_count(&world.loop, &end->closed, 1);
}

static int tear_down(void **state)
{
    (void) state;
    close_end(&world.client);
    close_end(&world.server);
    tls_context_release(world.client_context);
    tls_context_release(world.server_context);
    loop_close(&world.loop);
    return 0;
}

static uv_buf_t on_lend(struct stream *stream)
{
    struct end *end = container_of(stream, struct end, stream);
    return uv_buf_init(end->bytes, (unsigned) end->lend);
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct end *end = container_of(stream, struct end, stream);
    end->reads++;
    if (n < 0) {
        end->status = (int) n;
        return;
    }
    for (ssize_t i = 0; i < n; i++)
        assert_int_equal((unsigned char) end->bytes[i], (end->received + (size_t) i) & 0xff);
    size_t before = end->received;
    end->received += (size_t) n;
    if (end->pause && before / end->pause != end->received / end->pause) {
        stream_read_stop(stream);
        end->paused = true;
    }
}

static void on_secure(struct stream *stream, int status, const char *why)
{
    struct end *end = container_of(stream, struct end, stream);
    end->handshakes++;
    end->secured = status;
    if (status == 0 && end->reads_at_once) assert_int_equal(stream_read(stream, on_lend, on_read), 0);
    if (status == 0) return;
    snprintf(end->why, sizeof(end->why), "%s", why);
}

static void on_write(struct stream *stream, int status)
{
    struct end *end = container_of(stream, struct end, stream);
    assert_int_equal(status, 0);
    end->written++;
}

static void start_client(const char *name)
{
    struct stream_security security = {.context = world.client_context, .server_name = name};
    assert_int_equal(stream_secure(&world.client.stream, &security, on_secure), 0);
}

static void start_server(void)
{
    struct stream_security security = {.context = world.server_context};
    assert_int_equal(stream_secure(&world.server.stream, &security, on_secure), 0);
}

static void secure(void)
{
    start_client("a.example");
    start_server();
    loop_run_until_count(&world.loop, &world.client.handshakes, 1);
    loop_run_until_count(&world.loop, &world.server.handshakes, 1);
    assert_int_equal(world.client.secured, 0);
    assert_int_equal(world.server.secured, 0);
}

/* Bytes that on_read knows. */
static char *pattern(size_t len)
{
    char *bytes = malloc(len);
    assert_non_null(bytes);
    for (size_t n = 0; n < len; n++) bytes[n] = (char) n;
    return bytes;
}

static void send_and_read(struct end *from, struct end *to, size_t len, size_t lend, size_t pause)
{
    char *bytes = pattern(len);
    uv_buf_t buffers[2] = {uv_buf_init(bytes, (unsigned) (len / 3)),
                           uv_buf_init(bytes + len / 3, (unsigned) (len - len / 3))};
    to->lend = lend;
    to->pause = pause;
    assert_int_equal(stream_write(&from->stream, buffers, 2, on_write), 0);
    to->paused = true;
    for (unsigned n = 0; to->received < len && n < 100000; n++) {
        if (to->paused) assert_int_equal(stream_read(&to->stream, on_lend, on_read), 0);
        to->paused = false;
        size_t before = to->received;
        assert_int_equal(to->received, before); /* nothing comes inside the call */
        loop_turn(&world.loop, 1);
    }
    assert_int_equal(to->received, len);
    loop_run_until_count(&world.loop, &from->written, 1);
    stream_read_stop(&to->stream);
    free(bytes);
}

static void test_bytes_go_both_ways(void **state)
{
    (void) state;
    secure();
    send_and_read(&world.client, &world.server, 1000000, 65536, 0);
    send_and_read(&world.server, &world.client, 1000000, 65536, 0);
}

static void test_small_pieces_and_pauses(void **state)
{
    (void) state;
    secure();
    send_and_read(&world.client, &world.server, 100000, 777, 5000);
    send_and_read(&world.server, &world.client, 50000, 100, 1);
}

static void test_bytes_behind_the_handshake_are_not_lost(void **state)
{
    (void) state;
    start_client("a.example");
    start_server();
    loop_run_until_count(&world.loop, &world.client.handshakes, 1);
    /* Sent before the server has seen the end of the handshake. */
    assert_int_equal(stream_write_now(&world.client.stream, "\0\1\2\3", 4), 4);
    loop_run_until_count(&world.loop, &world.server.handshakes, 1);
    loop_turn(&world.loop, 3);
    assert_int_equal(world.server.received, 0);
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    loop_run_until_count(&world.loop, &world.server.reads, 1);
    assert_int_equal(world.server.received, 4);
}

static void test_who_reads_at_once_loses_nothing(void **state)
{
    (void) state;
    world.server.reads_at_once = world.client.reads_at_once = true;
    start_client("a.example");
    start_server();
    loop_run_until_count(&world.loop, &world.client.handshakes, 1);
    assert_int_equal(stream_write_now(&world.client.stream, "\0\1\2\3", 4), 4);
    loop_run_until_count(&world.loop, &world.server.reads, 1);
    assert_int_equal(world.server.received, 4);
}

static void test_the_end_is_told(void **state)
{
    (void) state;
    secure();
    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    assert_int_equal(stream_shutdown(&world.server.stream), 0);
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_int_equal(world.client.status, UV_EOF);
}

static void test_a_close_ends_in_due_form(void **state)
{
    (void) state;
    secure();
    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    close_end(&world.server);
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_int_equal(world.client.status, UV_EOF);
}

static void test_a_wrong_name_fails(void **state)
{
    (void) state;
    start_client("b.example");
    start_server();
    loop_run_until_count(&world.loop, &world.client.handshakes, 1);
    assert_int_equal(world.client.secured, UV_EPROTO);
    assert_non_null(strstr(world.client.why, "a.example"));
    loop_run_until_count(&world.loop, &world.server.handshakes, 1);
    assert_int_equal(world.server.secured, UV_EPROTO);
}

static void test_a_peer_that_goes_away(void **state)
{
    (void) state;
    start_client("a.example");
    close_end(&world.server);
    loop_run_until_count(&world.loop, &world.client.handshakes, 1);
    assert_true(world.client.secured < 0);
    assert_non_null(strstr(world.client.why, "during the TLS handshake"));
}

static void test_a_plain_client_is_told_in_plain(void **state)
{
    (void) state;
    start_server();
    assert_true(stream_write_now(&world.client.stream, "GET / HTTP/1.1\r\n\r\n", 18) == 18);
    loop_run_until_count(&world.loop, &world.server.handshakes, 1);
    assert_int_equal(world.server.secured, UV_EPROTO);
    assert_true(tls_met_http(stream_tls(&world.server.stream)));
    assert_true(stream_unsecure(&world.server.stream));
    assert_int_equal(stream_write_now(&world.server.stream, "\0\1\2", 3), 3);
    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_int_equal(world.client.received, 3);
}

/* The stream is closed after 0, 1, 2, ... turns of the loop: no callback comes later, and nothing leaks. */
static void test_it_may_be_closed_at_every_turn(void **state)
{
    for (unsigned turns = 0; turns < 12; turns++) {
        if (turns) set_up(state);
        start_client("a.example");
        start_server();
        loop_turn(&world.loop, turns);
        if (world.server.secured == 0) {
            stream_read(&world.server.stream, on_lend, on_read);
            if (world.client.secured == 0) stream_write_now(&world.client.stream, "\0\1\2", 3);
        }
        unsigned handshakes = world.client.handshakes;
        close_end(&world.client);
        assert_int_equal(world.client.handshakes, handshakes);
        if (turns < 11) tear_down(state);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes_go_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_small_pieces_and_pauses, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bytes_behind_the_handshake_are_not_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_reads_at_once_loses_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_end_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_close_ends_in_due_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_wrong_name_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_peer_that_goes_away, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_plain_client_is_told_in_plain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_it_may_be_closed_at_every_turn, set_up, tear_down),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
