/* Where a server listens: families, names, sockets in the file system, sockets that somebody else opened. */
#include "server_fixture.h"

#include "http/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <sys/stat.h>

static struct buffer name;
static char folder[] = "/tmp/test_listener.XXXXXX";
static char path[64], listen_text[80];

static int start(void **state)
{
    (void) state;
    buffer_init(&name, 256);
    strcpy(folder + sizeof(folder) - 7, "XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/socket", folder);
    snprintf(listen_text, sizeof(listen_text), "unix:%s", path);
    fixture_open(&lenient_limits);
    return 0;
}

static int stop(void **state)
{
    (void) state;
    fixture_stop(0);
    unlink(path);
    assert_int_equal(rmdir(folder), 0);
    buffer_deinit(&name);
    return 0;
}

static int try_to_listen(const char *text)
{
    struct address address;
    assert_null(address_parse_listen(&address, slice_of(text), 0));
    return server_listen(fixture.server, &address);
}

static void expect_answer_from(const struct sockaddr *server, socklen_t len)
{
    struct client client;
    int descriptor = socket(server->sa_family, SOCK_STREAM, 0);
    if (connect(descriptor, server, len) < 0) fail_msg("connect: %s", strerror(errno));
    client_adopt(&client, descriptor);
    client_ask(&client, REQUEST("/short"));
    client_expect(&client, 200, "hello\n");
    client_close(&client);
}

static void expect_answer_v4(void)
{
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    server.sin_port = htons((uint16_t) atoi(strrchr(name.data, ':') + 1));
    expect_answer_from((struct sockaddr *) &server, sizeof(server));
}

static void expect_answer_v6(void)
{
    struct sockaddr_in6 server = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    server.sin6_port = htons((uint16_t) atoi(strrchr(name.data, ':') + 1));
    expect_answer_from((struct sockaddr *) &server, sizeof(server));
}

static void expect_answer_unix(void)
{
    struct sockaddr_un server = {.sun_family = AF_UNIX};
    snprintf(server.sun_path, sizeof(server.sun_path), "%s", path);
    expect_answer_from((struct sockaddr *) &server, sizeof(server));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int descriptor = socket(AF_INET6, SOCK_STREAM, 0);
    bool bound = descriptor >= 0 && bind(descriptor, (struct sockaddr *) &loopback, sizeof(loopback)) == 0;
    if (descriptor >= 0) close(descriptor);
    return bound;
}

static void test_ipv4(void **state)
{
    (void) state;
    fixture_listen("127.0.0.1:0");
    fixture_name(0, &name);
    assert_memory_equal(name.data, "127.0.0.1:", 10);
    assert_string_not_equal(name.data, "127.0.0.1:0");
    expect_answer_v4();
}

static void test_ipv6(void **state)
{
    (void) state;
    if (!has_ipv6()) {
        print_message("# not possible on this machine: passed over\n");
        return;
    }
    fixture_listen("[::1]:0");
    fixture_name(0, &name);
    assert_memory_equal(name.data, "[::1]:", 6);
    expect_answer_v6();
}

static void test_every_interface(void **state)
{
    (void) state;
    fixture_listen(":0");
    fixture_name(0, &name);
    expect_answer_v4();
    if (has_ipv6()) expect_answer_v6();
}

static void test_name(void **state)
{
    (void) state;
    fixture_listen("localhost:0");
    fixture_name(0, &name);
    assert_memory_equal(name.data, "127.0.0.1:", 10);
    expect_answer_v4();
    assert_true(try_to_listen("no-such-host.invalid:0") < 0);
}

static void test_several(void **state)
{
    (void) state;
    fixture_listen("127.0.0.1:0");
    fixture_listen(listen_text);
    fixture_listen("127.0.0.1:0");
    fixture_name(2, &name);
    expect_answer_v4();
    expect_answer_unix();
    fixture_name(0, &name);
    expect_answer_v4();
    assert_false(server_listener_name(fixture.server, 3, &name));
}

static void test_port_in_use(void **state)
{
    (void) state;
    fixture_listen("127.0.0.1:0");
    fixture_name(0, &name);
    assert_int_equal(try_to_listen(name.data), UV_EADDRINUSE);
    assert_false(server_listener_name(fixture.server, 1, &name));
    assert_true(try_to_listen("192.0.2.1:0") < 0);
}

/* --- Unix sockets --- */

static void test_unix(void **state)
{
    (void) state;
    fixture_listen(listen_text);
    fixture_name(0, &name);
    assert_string_equal(name.data, listen_text);
    expect_answer_unix();
    assert_int_equal(try_to_listen("/no/such/folder/socket") < 0, true);
}

static void test_unix_file_goes_at_the_end(void **state)
{
    (void) state;
    fixture_listen(listen_text);
    assert_int_equal(access(path, F_OK), 0);
    fixture_stop(0);
    assert_int_equal(access(path, F_OK), -1);
    fixture_open(&lenient_limits);
}

/* Binds `path` and leaves the file behind. */
static int bind_path(void)
{
    struct sockaddr_un server = {.sun_family = AF_UNIX};
    snprintf(server.sun_path, sizeof(server.sun_path), "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *) &server, sizeof(server)), 0);
    return descriptor;
}

static void test_stale_socket_is_replaced(void **state)
{
    (void) state;
    close(bind_path());
    assert_int_equal(access(path, F_OK), 0);
    fixture_listen(listen_text);
    expect_answer_unix();
}

/* Also one so busy that it takes no connection at the moment. */
static void test_live_socket_is_left_alone(void **state)
{
    (void) state;
    struct sockaddr_un server = {.sun_family = AF_UNIX};
    int descriptor = bind_path(), clients[4];
    snprintf(server.sun_path, sizeof(server.sun_path), "%s", path);
    assert_int_equal(listen(descriptor, 1), 0);
    for (size_t n = 0; n < ARRAY_LEN(clients); n++) {
        assert_int_equal(try_to_listen(listen_text), UV_EADDRINUSE);
        assert_int_equal(access(path, F_OK), 0);
        clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        int result = connect(clients[n], (struct sockaddr *) &server, sizeof(server));
        if (n == ARRAY_LEN(clients) - 1) assert_int_equal(result, -1);
    }
    for (size_t n = 0; n < ARRAY_LEN(clients); n++) close(clients[n]);
    close(descriptor);
}

static void test_other_files_are_left_alone(void **state)
{
    (void) state;
    int descriptor = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(descriptor, "precious", 8), 8);
    close(descriptor);
    assert_int_equal(try_to_listen(listen_text), UV_EADDRINUSE);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 8);
}

/* --- Descriptors --- */

static void test_descriptor(void **state)
{
    (void) state;
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *) &any, sizeof(any)), 0);
    assert_int_equal(listen(descriptor, 8), 0);
    assert_int_equal(server_listen_descriptor(fixture.server, descriptor), 0);
    fixture_name(0, &name);
    expect_answer_v4();
}

/* Whoever made the socket's file keeps it. */
static void test_unix_descriptor(void **state)
{
    (void) state;
    int descriptor = bind_path();
    assert_int_equal(listen(descriptor, 8), 0);
    assert_int_equal(server_listen_descriptor(fixture.server, descriptor), 0);
    expect_answer_unix();
    fixture_stop(0);
    assert_int_equal(access(path, F_OK), 0);
    fixture_open(&lenient_limits);
}

static void test_descriptor_that_is_no_listener(void **state)
{
    (void) state;
    fixture_listen("127.0.0.1:0"); /* with the first one libuv opens a descriptor of its own */
    int file = open("/dev/null", O_RDONLY);
    assert_true(server_listen_descriptor(fixture.server, file) < 0);
    assert_int_equal(fcntl(file, F_GETFD), -1);
    assert_true(server_listen_descriptor(fixture.server, socket(AF_INET, SOCK_DGRAM, 0)) < 0);
    assert_false(server_listener_name(fixture.server, 1, &name));
}

/* --- A crowd --- */

static uv_pipe_t taken[4];
static unsigned taken_count;

static void on_connection(struct listener *listener)
{
    uv_pipe_t *client = &taken[taken_count++];
    assert_int_equal(uv_pipe_init(listener->loop, client, 0), 0);
    assert_int_equal(uv_accept(&listener->stream, (uv_stream_t *) client), 0);
}

static void on_failed(struct listener *listener, int status)
{
    (void) listener;
    fail_msg("%s", uv_strerror(status));
}

static void on_listener_closed(struct listener *listener)
{
    *(bool *) listener->context = true;
}

/* Of connections that wait together, a turn takes as many as its budget allows, which is one here. */
static void test_a_crowd_is_taken_turn_by_turn(void **state)
{
    (void) state;
    uv_loop_t *loop = &fixture.loop;
    struct work_budget work;
    struct listener listener;
    struct address address;
    int clients[ARRAY_LEN(taken)];
    bool closed = false;
    taken_count = 0;
    work_budget_init(&work, loop, 1);
    listener_init(&listener, loop, &work, on_connection, on_failed, &closed);
    assert_null(address_parse_listen(&address, slice_of(listen_text), 0));
    assert_int_equal(listener_open(&listener, &address), 0);
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) {
        struct sockaddr_un server = {.sun_family = AF_UNIX};
        snprintf(server.sun_path, sizeof(server.sun_path), "%s", path);
        clients[n] = socket(AF_UNIX, SOCK_STREAM, 0);
        assert_int_equal(connect(clients[n], (struct sockaddr *) &server, sizeof(server)), 0);
    }
    loop_turn(loop, 1);
    assert_int_equal(taken_count, 1);
    for (unsigned turn = 0; taken_count < ARRAY_LEN(taken) && turn < 20; turn++) {
        unsigned before = taken_count;
        loop_turn(loop, 1);
        assert_in_range(taken_count - before, 0, 2); /* those of a turn's beginning, and of its end */
    }
    assert_int_equal(taken_count, ARRAY_LEN(taken));
    for (unsigned n = 0; n < ARRAY_LEN(clients); n++) {
        close(clients[n]);
        uv_close((uv_handle_t *) &taken[n], NULL);
    }
    listener_close(&listener, on_listener_closed);
    loop_run_until(loop, &closed);
    work_budget_close(&work, NULL);
    loop_turn(loop, 1);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ipv4),
        TEST(test_ipv6),
        TEST(test_every_interface),
        TEST(test_name),
        TEST(test_several),
        TEST(test_port_in_use),
        TEST(test_unix),
        TEST(test_unix_file_goes_at_the_end),
        TEST(test_stale_socket_is_replaced),
        TEST(test_live_socket_is_left_alone),
        TEST(test_other_files_are_left_alone),
        TEST(test_descriptor),
        TEST(test_unix_descriptor),
        TEST(test_descriptor_that_is_no_listener),
        TEST(test_a_crowd_is_taken_turn_by_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
