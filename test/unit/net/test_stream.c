#include "net/stream.h"

#include "base/container.h"
#include "loop.h"

#include <netinet/tcp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* A stream and what has become of it. */
struct end {
    struct stream stream;
    char bytes[65536];
    size_t lend;     /* bytes to lend */
    size_t received; /* in all */
    int status;      /* of the last connect or write, or the code that ended reading */
    unsigned connected, reads, written, closed;
    bool close_on_read;
};

struct world {
    uv_loop_t loop;
    struct stream listener; /* only its handle */
    union endpoint endpoint;
    char path[64];
    struct end client, server;
    unsigned accepted, listener_closed;
};

static struct world world;

static void on_end_closed(struct stream *stream)
{
    container_of(stream, struct end, stream)->closed++;
}

static void on_connect(struct stream *stream, int status)
{
    struct end *end = container_of(stream, struct end, stream);
    end->connected++;
    end->status = status;
}

static void on_write(struct stream *stream, int status)
{
    struct end *end = container_of(stream, struct end, stream);
    end->written++;
    end->status = status;
}

static uv_buf_t on_lend(struct stream *stream)
{
    struct end *end = container_of(stream, struct end, stream);
    return uv_buf_init(end->bytes, (unsigned) end->lend);
}

static void on_read(struct stream *stream, ssize_t n)
{
    struct end *end = container_of(stream, struct end, stream);
    assert_int_not_equal(n, 0);
    end->reads++;
    if (n < 0)
        end->status = (int) n;
    else
        end->received += (size_t) n;
    if (end->close_on_read) stream_close(stream, on_end_closed);
}

static void on_incoming(uv_stream_t *listener, int status)
{
    assert_int_equal(status, 0);
    assert_int_equal(stream_accept(&world.server.stream, listener), 0);
    world.accepted++;
}

static void on_listener_closed(uv_handle_t *handle)
{
    (void) handle;
    world.listener_closed++;
}

static void end_init(struct end *end)
{
    memset(end, 0, sizeof(*end));
    end->lend = sizeof(end->bytes);
    stream_init(&end->stream, &world.loop);
}

static int set_up(void **state)
{
    (void) state;
    memset(&world, 0, sizeof(world));
    loop_open(&world.loop);
    end_init(&world.client);
    end_init(&world.server);
    return 0;
}

static void listen_tcp(const char *host)
{
    int size = sizeof(world.endpoint);
    uv_tcp_t *tcp = &world.listener.tcp;
    if (strchr(host, ':'))
        assert_int_equal(uv_ip6_addr(host, 0, &world.endpoint.v6), 0);
    else
        assert_int_equal(uv_ip4_addr(host, 0, &world.endpoint.v4), 0);
    assert_int_equal(uv_tcp_init(&world.loop, tcp), 0);
    assert_int_equal(uv_tcp_bind(tcp, &world.endpoint.any, 0), 0);
    assert_int_equal(uv_listen(&world.listener.stream, 8, on_incoming), 0);
    assert_int_equal(uv_tcp_getsockname(tcp, &world.endpoint.any, &size), 0);
}

static void listen_local(void)
{
    snprintf(world.path, sizeof(world.path), "/tmp/test_stream.%d", (int) getpid());
    unlink(world.path);
    world.endpoint.local.sun_family = AF_UNIX;
    strcpy(world.endpoint.local.sun_path, world.path);
    assert_int_equal(uv_pipe_init(&world.loop, &world.listener.pipe, 0), 0);
    assert_int_equal(uv_pipe_bind(&world.listener.pipe, world.path), 0);
    assert_int_equal(uv_listen(&world.listener.stream, 8, on_incoming), 0);
}

static void stop_listening(void)
{
    uv_close(&world.listener.handle, on_listener_closed);
    loop_run_until_count(&world.loop, &world.listener_closed, 1);
}

static void join(void)
{
    assert_int_equal(stream_connect(&world.client.stream, &world.endpoint, on_connect), 0);
    assert_int_equal(world.client.connected, 0);
    loop_run_until_count(&world.loop, &world.client.connected, 1);
    assert_int_equal(world.client.status, 0);
    loop_run_until_count(&world.loop, &world.accepted, 1);
}

/* Closes what is open; everything has been called back exactly once. */
static void part(void)
{
    stream_close(&world.client.stream, on_end_closed);
    stream_close(&world.server.stream, on_end_closed);
    if (!uv_is_closing(&world.listener.handle)) uv_close(&world.listener.handle, on_listener_closed);
    loop_close(&world.loop);
    assert_int_equal(world.client.closed, 1);
    assert_int_equal(world.server.closed, 1);
    assert_int_equal(world.listener_closed, 1);
}

static void write_text(struct end *end, const char *text)
{
    uv_buf_t buffer = uv_buf_init((char *) text, (unsigned) strlen(text));
    assert_int_equal(stream_write(&end->stream, &buffer, 1, on_write), 0);
}

/* Both ends say something and hear it. */
static void talk(void)
{
    char first[] = "stats ", second[] = "items\r\n";
    uv_buf_t buffers[] = {uv_buf_init(first, 6), uv_buf_init(second, 7)};
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    assert_int_equal(stream_write(&world.client.stream, buffers, 2, on_write), 0);
    memset(buffers, 0, sizeof(buffers));
    assert_int_equal(world.client.written, 0);
    loop_run_until_count(&world.loop, &world.server.reads, 1);
    loop_run_until_count(&world.loop, &world.client.written, 1);
    assert_int_equal(world.client.status, 0);
    assert_int_equal(world.server.received, 13);
    assert_memory_equal(world.server.bytes, "stats items\r\n", 13);

    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    write_text(&world.server, "END\r\n");
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_memory_equal(world.client.bytes, "END\r\n", 5);
}

static int option_of(struct stream *stream, int option)
{
    int descriptor, value = -1;
    socklen_t size = sizeof(value);
    assert_int_equal(uv_fileno(&stream->handle, &descriptor), 0);
    assert_int_equal(getsockopt(descriptor, IPPROTO_TCP, option, &value, &size), 0);
    return value;
}

static void test_tcp(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    talk();
    assert_int_not_equal(option_of(&world.client.stream, TCP_NODELAY), 0);
    assert_int_not_equal(option_of(&world.server.stream, TCP_NODELAY), 0);
    part();
}

static void test_tcp_over_ipv6(void **state)
{
    (void) state;
    listen_tcp("::1");
    join();
    talk();
    part();
}

static void test_unix_socket(void **state)
{
    (void) state;
    listen_local();
    join();
    talk();
    part();
}

static void test_refused(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    stop_listening();
    assert_int_equal(stream_connect(&world.client.stream, &world.endpoint, on_connect), 0);
    assert_int_equal(world.client.connected, 0);
    loop_run_until_count(&world.loop, &world.client.connected, 1);
    assert_int_equal(world.client.status, UV_ECONNREFUSED);
    part();
    assert_int_equal(world.client.connected, 1);
}

static void test_no_such_path(void **state)
{
    (void) state;
    listen_local();
    stop_listening();
    assert_int_equal(stream_connect(&world.client.stream, &world.endpoint, on_connect), 0);
    assert_int_equal(world.client.connected, 0);
    loop_run_until_count(&world.loop, &world.client.connected, 1);
    assert_int_equal(world.client.status, UV_ENOENT);
    part();
}

/* A connect that fails at once never calls back, and the stream can still be closed and used anew. */
static void test_connect_fails_at_once(void **state)
{
    union endpoint broadcast = {0};
    (void) state;
    assert_int_equal(uv_ip4_addr("255.255.255.255", 11211, &broadcast.v4), 0);
    listen_tcp("127.0.0.1");
    assert_true(stream_connect(&world.client.stream, &broadcast, on_connect) < 0);
    loop_turn(&world.loop, 5);
    assert_int_equal(world.client.connected, 0);
    stream_close(&world.client.stream, on_end_closed);
    loop_run_until_count(&world.loop, &world.client.closed, 1);
    assert_int_equal(world.client.connected, 0);

    end_init(&world.client);
    join();
    part();
}

static void test_close_without_a_handle(void **state)
{
    (void) state;
    stream_close(&world.client.stream, on_end_closed);
    assert_int_equal(world.client.closed, 0);
    stream_close(&world.client.stream, on_end_closed);
    loop_close(&world.loop);
    assert_int_equal(world.client.closed, 1);
}

/* The second close counts for nothing, before the callback and after it. */
static void test_close_twice(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    stream_close(&world.client.stream, on_end_closed);
    stream_close(&world.client.stream, NULL);
    assert_int_equal(world.client.closed, 0);
    loop_run_until_count(&world.loop, &world.client.closed, 1);
    stream_close(&world.client.stream, NULL);
    part();
}

static void test_close_while_connecting(void **state)
{
    (void) state;
    for (unsigned turns = 0; turns < 3; turns++) {
        if (turns) set_up(NULL);
        listen_local();
        assert_int_equal(stream_connect(&world.client.stream, &world.endpoint, on_connect), 0);
        loop_turn(&world.loop, turns);
        unsigned connected = world.client.connected;
        stream_close(&world.client.stream, on_end_closed);
        loop_turn(&world.loop, 5);
        assert_int_equal(world.client.connected, connected);
        part();
    }
}

/* Fills the pipe so that the write cannot end, then closes. */
static void test_a_write_that_is_due_at_the_close_is_not_reported(void **state)
{
    static char megabytes[16 << 20];
    uv_buf_t buffer = uv_buf_init(megabytes, sizeof(megabytes));
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    assert_int_equal(stream_write(&world.client.stream, &buffer, 1, on_write), 0);
    loop_turn(&world.loop, 5);
    assert_int_equal(world.client.written, 0);
    part();
    assert_int_equal(world.client.written, 0);
}

/* One that has gone out at once, but whose callback is only due. */
static void test_a_finished_write_is_not_reported_after_the_close(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    write_text(&world.client, "x");
    part();
    assert_int_equal(world.client.written, 0);
}

static void test_write_again(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    for (unsigned i = 1; i <= 3; i++) {
        write_text(&world.client, "x");
        loop_run_until_count(&world.loop, &world.client.written, i);
    }
    part();
}

static void test_end_of_stream(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    stream_close(&world.server.stream, on_end_closed);
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_int_equal(world.client.status, UV_EOF);
    loop_turn(&world.loop, 5);
    assert_int_equal(world.client.reads, 1);
    part();
}

static void test_reset(void **state)
{
    struct linger now = {1, 0};
    int descriptor;
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    assert_int_equal(stream_read(&world.client.stream, on_lend, on_read), 0);
    assert_int_equal(uv_fileno(&world.server.stream.handle, &descriptor), 0);
    assert_int_equal(setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
    stream_close(&world.server.stream, on_end_closed);
    loop_run_until_count(&world.loop, &world.client.reads, 1);
    assert_int_equal(world.client.status, UV_ECONNRESET);
    part();
}

static void test_stop_and_go_on_reading(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    stream_read_stop(&world.server.stream);
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    stream_read_stop(&world.server.stream);
    write_text(&world.client, "0123456789");
    loop_run_until_count(&world.loop, &world.client.written, 1);
    loop_turn(&world.loop, 5);
    assert_int_equal(world.server.reads, 0);

    world.server.lend = 4;
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    loop_run_until_count(&world.loop, &world.server.reads, 3);
    assert_int_equal(world.server.received, 10);
    part();
}

/* What comes while the owner does not read is not lost, the end of the connection neither. */
static void test_the_end_waits_for_the_reader(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    loop_turn(&world.loop, 1);
    stream_read_stop(&world.server.stream);
    write_text(&world.client, "0123456789");
    loop_run_until_count(&world.loop, &world.client.written, 1);
    stream_close(&world.client.stream, on_end_closed);
    loop_run_until_count(&world.loop, &world.client.closed, 1);
    loop_turn(&world.loop, 5);
    assert_int_equal(world.server.reads, 0);
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    loop_run_until_count(&world.loop, &world.server.reads, 2);
    assert_int_equal(world.server.received, 10);
    assert_int_equal(world.server.status, UV_EOF);
    part();
}

/* More bytes are there, but the owner has seen enough. */
static void test_close_inside_on_read(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    join();
    world.server.lend = 1;
    world.server.close_on_read = true;
    write_text(&world.client, "0123456789");
    loop_run_until_count(&world.loop, &world.client.written, 1);
    assert_int_equal(stream_read(&world.server.stream, on_lend, on_read), 0);
    loop_run_until_count(&world.loop, &world.server.closed, 1);
    assert_int_equal(world.server.reads, 1);
    stream_read_stop(&world.server.stream);
    part();
}

/* The listener has nobody waiting. */
static void test_accept_fails(void **state)
{
    (void) state;
    listen_tcp("127.0.0.1");
    assert_int_equal(stream_accept(&world.server.stream, &world.listener.stream), UV_EAGAIN);
    part();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_tcp, set_up),
        cmocka_unit_test_setup(test_tcp_over_ipv6, set_up),
        cmocka_unit_test_setup(test_unix_socket, set_up),
        cmocka_unit_test_setup(test_refused, set_up),
        cmocka_unit_test_setup(test_no_such_path, set_up),
        cmocka_unit_test_setup(test_connect_fails_at_once, set_up),
        cmocka_unit_test_setup(test_close_without_a_handle, set_up),
        cmocka_unit_test_setup(test_close_twice, set_up),
        cmocka_unit_test_setup(test_close_while_connecting, set_up),
        cmocka_unit_test_setup(test_a_write_that_is_due_at_the_close_is_not_reported, set_up),
        cmocka_unit_test_setup(test_a_finished_write_is_not_reported_after_the_close, set_up),
        cmocka_unit_test_setup(test_write_again, set_up),
        cmocka_unit_test_setup(test_end_of_stream, set_up),
        cmocka_unit_test_setup(test_reset, set_up),
        cmocka_unit_test_setup(test_stop_and_go_on_reading, set_up),
        cmocka_unit_test_setup(test_the_end_waits_for_the_reader, set_up),
        cmocka_unit_test_setup(test_close_inside_on_read, set_up),
        cmocka_unit_test_setup(test_accept_fails, set_up),
    };
    signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
