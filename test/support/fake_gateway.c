#include "fake_gateway.h"

#include "base/container.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define REQUEST_MAX (4 * 1024 * 1024)

static void on_closed(uv_handle_t *handle)
{
    struct fake_gateway_connection *connection = container_of(handle, struct fake_gateway_connection, tcp);
    free(connection->bytes);
    connection->bytes = NULL;
    connection->open = false;
}

static void close_connection(struct fake_gateway_connection *connection)
{
    if (!uv_is_closing((uv_handle_t *) &connection->tcp))
        uv_close((uv_handle_t *) &connection->tcp, on_closed);
}

static void on_written(uv_write_t *write, int status)
{
    struct fake_gateway_connection *connection = container_of(write, struct fake_gateway_connection, write);
    if (status == 0 && connection->gateway->close_after_reply) close_connection(connection);
}

static void send_text(struct fake_gateway_connection *connection, const char *text)
{
    uv_buf_t buffer = uv_buf_init((char *) (uintptr_t) text, (unsigned) strlen(text));
    uv_write(&connection->write, (uv_stream_t *) &connection->tcp, &buffer, 1, on_written);
}

/* Copies the body without the chunks' framing. Returns false while the last chunk is incomplete. */
static bool decode_chunks(struct fake_gateway *gateway, const char *at, const char *end)
{
    gateway->body_len = 0;
    for (;;) {
        char *after;
        if (at == end || !memchr(at, '\n', (size_t) (end - at))) return false;
        size_t len = strtoul(at, &after, 16);
        at = after + 2;
        if ((size_t) (end - at) < len + 2) return false;
        assert_memory_equal(at + len, "\r\n", 2);
        if (len == 0) return true;
        memcpy(gateway->body + gateway->body_len, at, len);
        gateway->body_len += len;
        at += len + 2;
    }
}

/* Stores the request's head and body in the gateway. Returns false while the request is incomplete. */
static bool take_request(struct fake_gateway_connection *connection)
{
    struct fake_gateway *gateway = connection->gateway;
    const char *end = memmem(connection->bytes, connection->len, "\r\n\r\n", 4);
    if (!end) return false;
    size_t head = (size_t) (end - connection->bytes) + 4;
    assert_true(head < sizeof(gateway->head));
    memcpy(gateway->head, connection->bytes, head);
    gateway->head[head] = '\0';
    gateway->body_len = 0;
    if (!strstr(gateway->head, "Transfer-Encoding: chunked")) return true;
    return decode_chunks(gateway, connection->bytes + head, connection->bytes + connection->len);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct fake_gateway_connection *connection = container_of(handle, struct fake_gateway_connection, tcp);
    (void) suggested;
    *buffer = uv_buf_init(connection->bytes + connection->len, (unsigned) (REQUEST_MAX - connection->len));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct fake_gateway_connection *connection = container_of(stream, struct fake_gateway_connection, tcp);
    struct fake_gateway *gateway = connection->gateway;
    (void) buffer;
    if (n < 0) {
        if (connection->len) gateway->cut++;
        close_connection(connection);
        return;
    }
    connection->len += (size_t) n;
    if (!take_request(connection)) return;
    connection->len = 0;
    if (gateway->requests < sizeof(gateway->methods) - 1)
        gateway->methods[gateway->requests] = gateway->head[0];
    gateway->requests++;
    if (gateway->close_unanswered)
        close_connection(connection);
    else if (gateway->reply)
        send_text(connection, gateway->reply);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct fake_gateway *gateway = container_of(listener, struct fake_gateway, listener);
    struct fake_gateway_connection *connection = NULL;
    assert_int_equal(status, 0);
    for (size_t n = 0; n < FAKE_GATEWAY_CONNECTIONS && !connection; n++) {
        if (!gateway->connections[n].open) connection = &gateway->connections[n];
    }
    assert_non_null(connection);
    connection->gateway = gateway;
    connection->open = true;
    connection->len = 0;
    connection->bytes = malloc(REQUEST_MAX);
    uv_tcp_init(gateway->loop, &connection->tcp);
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &connection->tcp), 0);
    gateway->accepted++;
    uv_read_start((uv_stream_t *) &connection->tcp, on_alloc, on_read);
}

void fake_gateway_start(struct fake_gateway *gateway, uv_loop_t *loop)
{
    struct sockaddr_in address;
    int len = sizeof(address);
    memset(gateway, 0, sizeof(*gateway));
    gateway->loop = loop;
    gateway->body = malloc(REQUEST_MAX);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &gateway->listener);
    assert_int_equal(uv_tcp_bind(&gateway->listener, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &gateway->listener, 16, on_connection), 0);
    assert_int_equal(uv_tcp_getsockname(&gateway->listener, (struct sockaddr *) &address, &len), 0);
    gateway->port = ntohs(address.sin_port);
}

void fake_gateway_answer(struct fake_gateway *gateway, const char *reply)
{
    for (size_t n = 0; n < FAKE_GATEWAY_CONNECTIONS; n++) {
        if (!gateway->connections[n].open) continue;
        send_text(&gateway->connections[n], reply);
        return;
    }
    fail();
}

void fake_gateway_drop(struct fake_gateway *gateway)
{
    for (size_t n = 0; n < FAKE_GATEWAY_CONNECTIONS; n++) {
        if (gateway->connections[n].open) close_connection(&gateway->connections[n]);
    }
}

void fake_gateway_stop(struct fake_gateway *gateway)
{
    fake_gateway_drop(gateway);
    uv_close((uv_handle_t *) &gateway->listener, NULL);
}

void fake_gateway_deinit(struct fake_gateway *gateway)
{
    free(gateway->body);
}
