#include "dns_server.h"

#include "base/container.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define TYPE_A     1
#define TYPE_CNAME 5
#define TYPE_AAAA  28
#define TYPE_SRV   33
#define HEAD       12

/* Longest answer in a datagram, without EDNS. */
#define DATAGRAM 512

static uint8_t *put(uint8_t *at, const void *bytes, size_t len)
{
    memcpy(at, bytes, len);
    return at + len;
}

static uint8_t *put16(uint8_t *at, unsigned value)
{
    uint16_t order = htons((uint16_t) value);
    return put(at, &order, 2);
}

/* Writes the head of a record. Its name is a pointer to offset `name` of the packet. */
static uint8_t *put_record(uint8_t *at, unsigned name, unsigned type, uint32_t ttl, unsigned len)
{
    ttl = htonl(ttl);
    at = put16(at, 0xc000 | name);
    at = put16(at, type);
    at = put16(at, 1);
    at = put(at, &ttl, 4);
    return put16(at, len);
}

/* Stores the name of the question in server->last. Returns the offset of the question's type. */
static size_t read_name(struct dns_server *server, const uint8_t *packet)
{
    size_t at = HEAD, len = 0;
    while (packet[at]) {
        if (len) server->last[len++] = '.';
        memcpy(server->last + len, packet + at + 1, packet[at]);
        len += packet[at];
        at += packet[at] + 1u;
    }
    server->last[len] = '\0';
    return at + 1;
}

static uint8_t *put_name(uint8_t *at, const char *name)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        *at++ = (uint8_t) len;
        at = put(at, name, len);
        name += len + (name[len] == '.');
    }
    *at++ = 0;
    return at;
}

static uint8_t *put_service(uint8_t *at, const struct dns_server *server, unsigned name, unsigned number)
{
    uint8_t data[300], *end = data;
    char target[32];
    snprintf(target, sizeof(target), "node-%u.test", number);
    end = put16(end, number);
    end = put16(end, 1);
    end = put16(end, server->port_of);
    end = put_name(end, server->target ? server->target : target);
    return put(put_record(at, name, TYPE_SRV, server->ttl, (unsigned) (end - data)), data,
               (size_t) (end - data));
}

static uint8_t *put_address(uint8_t *at, const struct dns_server *server, unsigned name, unsigned number)
{
    uint8_t address[] = {127, 0, (uint8_t) (1 + number / 256), (uint8_t) (number % 256)};
    if (server->last_octet) {
        address[2] = 0;
        address[3] = (uint8_t) server->last_octet;
    }
    return put(put_record(at, name, TYPE_A, server->ttl, 4), address, 4);
}

/* Writes the server's records of this type. Offsets of names count from `packet`. */
static uint8_t *put_records(uint8_t *at, const uint8_t *packet, const struct dns_server *server,
                            unsigned type, unsigned *records)
{
    unsigned name = HEAD;
    if (server->alias_ttl) {
        at = put_record(at, name, TYPE_CNAME, server->alias_ttl, 5);
        name = (unsigned) (at - packet);
        at = put(at, "\3www", 5);
        ++*records;
    }
    for (unsigned i = 1; type == TYPE_A && i <= server->a; i++, ++*records)
        at = put_address(at, server, name, i);
    for (unsigned i = 1; type == TYPE_SRV && i <= server->srv; i++, ++*records)
        at = put_service(at, server, name, i);
    if (type == TYPE_AAAA && server->aaaa) {
        at = put(put_record(at, name, TYPE_AAAA, server->ttl, 16), &in6addr_loopback, 16);
        ++*records;
    }
    return at;
}

/* Writes the answer to server->out, after two bytes for a length. Returns its length. */
static size_t answer(struct dns_server *server, const uint8_t *question, bool udp)
{
    uint8_t *packet = server->out + 2;
    size_t type_at = read_name(server, question);
    unsigned type = question[type_at + 1], records = 0;
    uint8_t code = type == TYPE_AAAA ? server->code6 : server->code;
    uint8_t *start = put(packet, question, type_at + 4), *at = start;
    if (!code) at = put_records(at, packet, server, type, &records);
    bool cut = udp && (server->truncated || at > packet + DATAGRAM);
    if (cut) {
        at = start;
        records = 0;
    }
    put16(packet + 2, 0x8180u | (cut ? 0x200u : 0) | code);
    put16(packet + 6, records);
    return (size_t) (at - packet) - (records ? server->cut : 0);
}

static void on_udp_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct dns_server *server = handle->data;
    (void) suggested;
    *buffer = uv_buf_init((char *) server->packet, 300);
}

static bool is_swallowed(struct dns_server *server, const uint8_t *question)
{
    unsigned type = question[read_name(server, question) + 1];
    if (server->silent) {
        if (server->silent != DNS_SERVER_FOREVER) server->silent--;
        return true;
    }
    if (server->silent_name && strncmp(server->last, server->silent_name, strlen(server->silent_name)) == 0)
        return true;
    return (type == TYPE_A && server->silent_a) || (type == TYPE_AAAA && server->silent_aaaa);
}

static void on_packet(uv_udp_t *udp, ssize_t n, const uv_buf_t *buffer, const struct sockaddr *from,
                      unsigned flags)
{
    struct dns_server *server = udp->data;
    (void) flags;
    if (n <= 0) return;
    server->packets++;
    if (is_swallowed(server, (uint8_t *) buffer->base)) return;
    size_t len = answer(server, (uint8_t *) buffer->base, true);
    uv_buf_t out = uv_buf_init((char *) server->out + 2, (unsigned) len);
    assert_int_equal(uv_udp_try_send(udp, &out, 1, from), (int) out.len);
}

static void on_tcp_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    struct dns_server *server = handle->data;
    (void) suggested;
    *buffer = uv_buf_init((char *) server->packet, 300);
}

/* Answers questions by TCP. On loopback, a read returns one or more whole questions, as c-ares wrote them. */
static void on_segment(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct dns_server *server = stream->data;
    size_t question;
    (void) buffer;
    if (n < 0) {
        uv_close((uv_handle_t *) stream, NULL);
        server->connected = false;
        return;
    }
    for (size_t at = 0; at + 2 < (size_t) n; at += 2 + question) {
        question = (size_t) server->packet[at] << 8 | server->packet[at + 1];
        assert_true(at + 2 + question <= (size_t) n);
        size_t len = answer(server, server->packet + at + 2, false);
        put16(server->out, (unsigned) len);
        uv_buf_t out = uv_buf_init((char *) server->out, (unsigned) len + 2);
        assert_int_equal(uv_try_write(stream, &out, 1), (int) out.len);
        server->segments++;
    }
}

static void on_incoming(uv_stream_t *listener, int status)
{
    struct dns_server *server = listener->data;
    assert_int_equal(status, 0);
    assert_false(server->connected);
    assert_int_equal(uv_tcp_init(listener->loop, &server->connection), 0);
    server->connection.data = server;
    server->connected = true;
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &server->connection), 0);
    assert_int_equal(uv_read_start((uv_stream_t *) &server->connection, on_tcp_alloc, on_segment), 0);
}

void dns_server_start(struct dns_server *server, uv_loop_t *loop, const char *host, int port)
{
    struct sockaddr_in address;
    int size = sizeof(address);
    *server = (struct dns_server){.a = 1, .ttl = 60, .port_of = 11211};
    assert_int_equal(uv_ip4_addr(host, port, &address), 0);
    assert_int_equal(uv_udp_init(loop, &server->udp), 0);
    assert_int_equal(uv_tcp_init(loop, &server->listener), 0);
    server->udp.data = server->listener.data = server;

    /* TCP chooses the port first, since more TCP ports are in use. UDP then takes the same port. */
    if (uv_tcp_bind(&server->listener, (struct sockaddr *) &address, 0) < 0) return;
    if (uv_listen((uv_stream_t *) &server->listener, 8, on_incoming) < 0) return;
    assert_int_equal(uv_tcp_getsockname(&server->listener, (struct sockaddr *) &address, &size), 0);
    assert_int_equal(uv_udp_bind(&server->udp, (struct sockaddr *) &address, 0), 0);
    assert_int_equal(uv_udp_recv_start(&server->udp, on_udp_alloc, on_packet), 0);
    server->port = ntohs(address.sin_port);
}

void dns_server_stop(struct dns_server *server)
{
    if (uv_is_closing((uv_handle_t *) &server->udp)) return;
    uv_close((uv_handle_t *) &server->udp, NULL);
    uv_close((uv_handle_t *) &server->listener, NULL);
    if (server->connected) uv_close((uv_handle_t *) &server->connection, NULL);
    server->connected = false;
}
