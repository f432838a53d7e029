#include "fake_server.h"

#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void on_closed(uv_handle_t *handle)
{
    container_of(handle, struct fake_connection, tcp)->open = false;
}

static void close_connection(struct fake_connection *connection)
{
    if (!uv_is_closing((uv_handle_t *) &connection->tcp))
        uv_close((uv_handle_t *) &connection->tcp, on_closed);
}

static void on_written(uv_write_t *write, int status)
{
    struct fake_connection *connection = container_of(write, struct fake_connection, write);
    if (status == 0 && connection->server->close_after_reply) close_connection(connection);
}

static void send_text(struct fake_connection *connection, const char *text, size_t len)
{
    uv_buf_t buffer = uv_buf_init((char *) (uintptr_t) text, (unsigned) (len ? len : strlen(text)));
    uv_write(&connection->write, (uv_stream_t *) &connection->tcp, &buffer, 1, on_written);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct fake_connection *connection = container_of(handle, struct fake_connection, tcp);
    (void) suggested;
    *buffer = uv_buf_init(connection->bytes, sizeof(connection->bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct fake_connection *connection = container_of(stream, struct fake_connection, tcp);
    struct fake_server *server = connection->server;
    size_t heard = strlen(server->heard);
    if (n < 0) {
        close_connection(connection);
        return;
    }
    if (n == 0) return;
    server->requests++;
    connection->requests++;
    if (heard + (size_t) n < sizeof(server->heard)) memcpy(server->heard + heard, buffer->base, (size_t) n);
    if (server->answer) {
        char request[sizeof(connection->bytes) + 1];
        memcpy(request, buffer->base, (size_t) n);
        request[n] = '\0';
        const char *answer = server->answer(connection, request);
        if (answer) send_text(connection, answer, 0);
    } else if (server->close_unanswered) {
        server->close_unanswered--;
        close_connection(connection);
    } else if (server->second_reply && connection->requests % 2 == 0) {
        send_text(connection, server->second_reply, 0);
    } else if (server->reply) {
        send_text(connection, server->reply, server->reply_len);
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake_server *server = container_of(listener, struct fake_server, listener);
    struct fake_connection *connection = NULL;
    assert_int_equal(status, 0);
    for (size_t n = 0; n < FAKE_CONNECTIONS_MAX && !connection; n++) {
        if (!server->connections[n].open) connection = &server->connections[n];
    }
    assert_non_null(connection);
    connection->server = server;
    connection->open = true;
    connection->requests = 0;
    uv_tcp_init(server->loop, &connection->tcp);
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &connection->tcp), 0);
    server->accepted++;
    if (server->greeting) send_text(connection, server->greeting, 0);
    uv_read_start((uv_stream_t *) &connection->tcp, on_alloc, on_read);
}

void fake_server_start(struct fake_server *server, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    memset(server, 0, sizeof(*server));
    server->loop = loop;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &server->listener);
    assert_int_equal(uv_tcp_bind(&server->listener, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &server->listener, 16, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&server->listener, (struct sockaddr *) &address, &len), 0);
    server->port = ntohs(address.sin_port);
}

void fake_server_say(struct fake_connection *connection, const char *text, size_t len)
{
    send_text(connection, text, len);
}

void fake_server_drop(struct fake_server *server)
{
    for (size_t n = 0; n < FAKE_CONNECTIONS_MAX; n++) {
        if (server->connections[n].open) close_connection(&server->connections[n]);
    }
}

void fake_server_stop(struct fake_server *server)
{
    fake_server_drop(server);
    uv_close((uv_handle_t *) &server->listener, NULL);
}
