/*
 * A server on a free loopback port with a handler for tests, and clients that are plain sockets. Everything
 * runs on one thread: while a client waits, the loop is turned.
 *
 *     /short        "hello\n" at once             /noise/N   a body of N bytes that is hard to compress
 *     /later        when the test says so         /same/N    N times the same byte
 *     /forgetful    the same, without on_abort    /broken    a body that runs out of memory in its 2nd piece
 *     /broken/at/once    in its first          /halting/N the noise, often little of it or nothing
 *     anything else: 404 with the target as the body
 *
 * The requests of a test that sets `places` need one of them, else the answer is 503.
 */
#ifndef TEST_SERVER_FIXTURE_H
#define TEST_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "http/server.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/number.h"
#include "loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#define PATIENCE_MS 8000

/* A request as most tests send it. */
#define REQUEST(target) "GET " target " HTTP/1.1\r\nHost: test\r\n\r\n"

struct fixture {
    uv_loop_t loop;
    struct server *server;
    uint16_t port;
    bool closed;
    unsigned handled, aborted, released;
    size_t filled;            /* bytes that bodies have given */
    unsigned fills;           /* pieces that they have given */
    uint64_t fill_ns;         /* processor time that each piece takes */
    uint64_t handle_ns;       /* and the handler */
    struct exchange *waiting; /* of /later */
    unsigned places;          /* 0: without limit */
};

static struct fixture fixture;

static const struct server_limits lenient_limits = {.max_connections = 16,
                                                    .max_unread = 16,
                                                    .head_timeout_ms = 8000,
                                                    .idle_timeout_ms = 60000,
                                                    .answer_timeout_ms = 120000};

/* --- The handler --- */

struct test_body {
    struct producer body;
    size_t at, size;
    bool noise, broken, halts;
};

/* The byte at a place of the body: a letter. */
static inline char noise_at(size_t at)
{
    return (char) ('a' + ((uint32_t) at * 2654435761u >> 24) % 26);
}

static inline bool fill_test_body(struct producer *base, struct buffer *out, size_t want)
{
    struct test_body *body = container_of(base, struct test_body, body);
    uint64_t end_ns = fixture.fill_ns ? thread_time_ns() + fixture.fill_ns : 0;
    while (thread_time_ns() < end_ns) continue;
    fixture.fills++;
    if (body->broken && body->at) out->failed = true;
    if (body->halts && fixture.fills % 3) want = fixture.fills % 3 == 1 ? 0 : 100;
    for (size_t n = 0; n < want && body->at < body->size; n++, body->at++) {
        buffer_append_char(out, body->noise ? noise_at(body->at) : 's');
        fixture.filled++;
    }
    return body->at < body->size;
}

static inline void release_test_body(struct producer *base)
{
    fixture.released++;
    free(container_of(base, struct test_body, body));
}

static inline struct producer *test_body_new(size_t size, bool noise, bool broken)
{
    struct test_body *body = malloc(sizeof(*body));
    assert_non_null(body);
    *body = (struct test_body){{fill_test_body, release_test_body}, 0, size, noise, broken, false};
    return &body->body;
}

static inline void on_aborted(void *context)
{
    struct fixture *owner = context;
    owner->aborted++;
    owner->waiting = NULL;
}

static inline void refuse_place(struct exchange *exchange)
{
    struct response response = {.status = 503, .content_type = "text/plain"};
    exchange_respond(exchange, &response, SLICE("no place\n"));
}

static inline void answer_hello(struct exchange *exchange)
{
    struct response response = {.status = 200, .content_type = "text/plain"};
    exchange_respond(exchange, &response, SLICE("hello\n"));
}

static inline void handle(void *context, struct exchange *exchange, const struct request *request)
{
    struct response response = {.status = 200, .content_type = "text/plain", .varies = true};
    struct slice number = request->path;
    uint64_t size = 0;
    uint64_t end_ns = fixture.handle_ns ? thread_time_ns() + fixture.handle_ns : 0;
    while (thread_time_ns() < end_ns) continue;
    assert_ptr_equal(context, &fixture);
    fixture.handled++;
    while (number.len && (number.data[0] < '0' || number.data[0] > '9')) number = slice_from(number, 1);
    number_parse_u64(number, &size);
    if (fixture.places && !exchange_take_place(exchange, fixture.places)) {
        refuse_place(exchange);
    } else if (slice_is(request->path, "/short")) {
        answer_hello(exchange);
    } else if (slice_is(request->path, "/later") || slice_is(request->path, "/forgetful")) {
        fixture.waiting = exchange;
        if (slice_is(request->path, "/later")) exchange_on_abort(exchange, on_aborted, &fixture);
    } else if (slice_starts(request->path, "/noise/")) {
        exchange_stream(exchange, &response, test_body_new(size, true, false));
    } else if (slice_starts(request->path, "/same/")) {
        exchange_stream(exchange, &response, test_body_new(size, false, false));
    } else if (slice_starts(request->path, "/halting/")) {
        struct producer *producer = test_body_new(size, true, false);
        container_of(producer, struct test_body, body)->halts = true;
        exchange_stream(exchange, &response, producer);
    } else if (slice_is(request->path, "/broken")) {
        exchange_stream(exchange, &response, test_body_new(1024 * 1024, true, true));
    } else if (slice_is(request->path, "/broken/at/once")) {
        struct producer *producer = test_body_new(1024 * 1024, true, true);
        container_of(producer, struct test_body, body)->at = 1;
        exchange_stream(exchange, &response, producer);
    } else {
        struct response missing = {.status = 404, .content_type = "text/plain"};
        exchange_respond(exchange, &missing, request->target);
    }
}

/* --- The server --- */

static inline void fixture_open(const struct server_limits *limits)
{
    fixture = (struct fixture){.port = 0};
    loop_open(&fixture.loop);
    assert_int_equal(server_new(&fixture.server, &fixture.loop, limits, handle, &fixture), 0);
}

static inline void fixture_listen(const char *text)
{
    struct address address;
    assert_null(address_parse_listen(&address, slice_of(text), 0));
    assert_int_equal(server_listen(fixture.server, &address), 0);
}

static inline void fixture_name(unsigned n, struct buffer *out)
{
    buffer_clear(out);
    assert_true(server_listener_name(fixture.server, n, out));
    buffer_append_char(out, '\0');
}

static inline void fixture_start(const struct server_limits *limits)
{
    struct buffer name;
    buffer_init(&name, 256);
    fixture_open(limits);
    fixture_listen("127.0.0.1:0");
    fixture_name(0, &name);
    fixture.port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
}

static inline void on_server_closed(void *context)
{
    struct fixture *owner = context;
    assert_false(owner->closed);
    owner->closed = true;
}

static inline void fixture_stop(unsigned grace_ms)
{
    server_close(fixture.server, grace_ms, on_server_closed, &fixture);
    assert_false(fixture.closed);
    loop_run_until(&fixture.loop, &fixture.closed);
    loop_close(&fixture.loop);
}

/* --- Clients --- */

struct client {
    int descriptor;
    struct buffer got;
    size_t limit; /* reads no more than this in all */
    bool ended;   /* the server closed its direction */
    bool reset;   /* or broke the connection */
};

static inline void client_adopt(struct client *client, int descriptor)
{
    *client = (struct client){.descriptor = descriptor, .limit = SIZE_MAX};
    buffer_init(&client->got, 64 * 1024 * 1024);
}

static inline void client_open(struct client *client)
{
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(fixture.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int descriptor = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(descriptor, (struct sockaddr *) &name, sizeof(name)), 0);
    client_adopt(client, descriptor);
}

static inline void client_close(struct client *client)
{
    close(client->descriptor);
    buffer_deinit(&client->got);
}

/* One turn: the loop works, then what has arrived is read. */
static inline void client_turn(struct client *client)
{
    struct pollfd wait = {.fd = client->descriptor, .events = POLLIN};
    uv_run(&fixture.loop, UV_RUN_NOWAIT);
    if (client->got.len >= client->limit || client->ended || client->reset) {
        usleep(1000);
        return;
    }
    if (poll(&wait, 1, 1) == 0) return;
    char *at = buffer_reserve(&client->got, 65536);
    size_t room = client->limit - client->got.len < 65536 ? client->limit - client->got.len : 65536;
    ssize_t n = recv(client->descriptor, at, room, MSG_DONTWAIT);
    if (n > 0) client->got.len += (size_t) n;
    if (n == 0) client->ended = true;
    if (n < 0 && errno != EAGAIN) client->reset = true;
}

#define client_wait(client, condition)                                                                       \
    do {                                                                                                     \
        uint64_t start_ns = uv_hrtime();                                                                     \
        while (!(condition)) {                                                                               \
            if (uv_hrtime() - start_ns > PATIENCE_MS * 1000000ull) fail_msg("waited for " #condition);       \
            client_turn(client);                                                                             \
        }                                                                                                    \
    } while (0)

/* False when the server does not take it all. */
static inline bool client_send(struct client *client, const char *data, size_t len)
{
    uint64_t start_ns = uv_hrtime();
    while (len && uv_hrtime() - start_ns < PATIENCE_MS * 1000000ull) {
        ssize_t n = send(client->descriptor, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return false;
        if (n > 0) data += n, len -= (size_t) n;
        uv_run(&fixture.loop, UV_RUN_NOWAIT);
    }
    return len == 0;
}

static inline void client_ask(struct client *client, const char *text)
{
    assert_true(client_send(client, text, strlen(text)));
}

/* --- Answers --- */

struct answer {
    int status;
    struct buffer head; /* with a NUL behind it */
    struct buffer body; /* without its chunks' frames */
};

static inline void answer_deinit(struct answer *answer)
{
    buffer_deinit(&answer->head);
    buffer_deinit(&answer->body);
}

static inline bool answer_says(const struct answer *answer, const char *line)
{
    return strstr(answer->head.data, line) != NULL;
}

static inline void client_drop(struct client *client, size_t n)
{
    client->got.len -= n;
    memmove(client->got.data, client->got.data + n, client->got.len);
}

static inline size_t find_line_end(struct client *client, const char *end)
{
    const char *at;
    client_wait(client, (at = client->got.len ? memmem(client->got.data, client->got.len, end, strlen(end))
                                              : NULL) != NULL);
    return (size_t) (at - client->got.data) + strlen(end);
}

static inline void take_bytes(struct client *client, size_t n, struct buffer *out)
{
    client_wait(client, client->got.len >= n);
    buffer_append(out, client->got.data, n);
    client_drop(client, n);
}

static inline void take_chunks(struct client *client, struct buffer *out)
{
    for (size_t size = 1; size > 0;) {
        size_t line = find_line_end(client, "\r\n");
        size = strtoul(client->got.data, NULL, 16);
        client_drop(client, line);
        take_bytes(client, size, out);
        client_wait(client, client->got.len >= 2);
        assert_memory_equal(client->got.data, "\r\n", 2);
        client_drop(client, 2);
    }
}

/* Waits for the next answer and takes it off the client; to HEAD there is no body. */
static inline struct answer client_take(struct client *client, bool to_head)
{
    struct answer answer;
    const char *length;
    buffer_init(&answer.head, 65536);
    buffer_init(&answer.body, 64 * 1024 * 1024);
    take_bytes(client, find_line_end(client, "\r\n\r\n"), &answer.head);
    buffer_append_char(&answer.head, '\0');
    assert_memory_equal(answer.head.data, "HTTP/1.1 ", 9);
    answer.status = atoi(answer.head.data + 9);
    length = strstr(answer.head.data, "\r\nContent-Length: ");
    if (to_head) return answer;
    if (answer_says(&answer, "\r\nTransfer-Encoding: chunked\r\n")) {
        assert_null(length);
        take_chunks(client, &answer.body);
    } else if (length) {
        take_bytes(client, strtoul(length + strlen("\r\nContent-Length: "), NULL, 10), &answer.body);
    } else {
        client_wait(client, client->ended);
        take_bytes(client, client->got.len, &answer.body);
    }
    return answer;
}

/* Takes the next answer and checks it: status and, unless NULL, the body. */
static inline void client_expect(struct client *client, int status, const char *body)
{
    struct answer answer = client_take(client, false);
    assert_int_equal(answer.status, status);
    if (body) {
        assert_int_equal(answer.body.len, strlen(body));
        assert_memory_equal(answer.body.data, body, strlen(body));
    }
    answer_deinit(&answer);
}

/* The server has closed, and nothing more had been sent. */
static inline void client_expect_end(struct client *client)
{
    client_wait(client, client->ended || client->reset);
    assert_false(client->reset);
    assert_int_equal(client->got.len, 0);
}

#endif
