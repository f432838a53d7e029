/* The HTTP server and handlers on a manager_world, and one client. Include this header after <cmocka.h>. */
#ifndef SUPPORT_WEB_WORLD_H
#define SUPPORT_WEB_WORLD_H

#include "exposition.h"
#include "manager_world.h"
#include "web/handlers.h"

#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

struct web_world {
    struct manager_world manager;
    struct handlers handlers;
    struct server *server;
    uint16_t port;
    bool closed;
    unsigned requests; /* number of requests that the handlers received */
    int client;        /* socket of the client */
    struct buffer answer;
};

static inline struct fleet_world *web_world_fleet(struct web_world *world)
{
    return &world->manager.fleet;
}

static inline void web_world_on_request(void *context, struct exchange *exchange,
                                        const struct request *request)
{
    struct web_world *world = context;
    world->requests++;
    handlers_handle(&world->handlers, exchange, request);
}

static inline void web_world_start_server(struct web_world *world)
{
    static const struct server_limits limits = {.max_connections = 16,
                                                .max_unread = 16,
                                                .answer_timeout_ms = 120000,
                                                .head_timeout_ms = 8000,
                                                .idle_timeout_ms = 60000};
    struct address address;
    struct buffer name;
    assert_int_equal(
        server_new(&world->server, &web_world_fleet(world)->loop, &limits, web_world_on_request, world), 0);
    assert_null(address_parse_listen(&address, SLICE("127.0.0.1:0"), 0));
    assert_int_equal(server_listen(world->server, &address), 0);
    buffer_init(&name, 256);
    assert_true(server_listener_name(world->server, 0, &name));
    buffer_append_char(&name, '\0');
    world->port = (uint16_t) atoi(strrchr(name.data, ':') + 1);
    buffer_deinit(&name);
    world->closed = false;
}

static inline void web_world_stop_server(struct web_world *world)
{
    server_close(world->server, 0, world_set_true, &world->closed);
    loop_run_until(&web_world_fleet(world)->loop, &world->closed);
}

/*
 * Arguments for web_world_open. The fake servers answer only one command, so a poll with more commands would
 * run into its timeout.
 */
#define WEB_WORLD_STATS_ALONE "--no-collector.settings", "--no-collector.items", "--no-collector.slabs"

/* Opens the world. `arguments` ends with NULL and has no argv[0]. */
static inline struct web_world *web_world_open(const char *const *arguments)
{
    struct web_world *world = calloc(1, sizeof(*world));
    assert_non_null(world);
    manager_world_open(&world->manager, arguments);
    world->handlers = (struct handlers){
        .manager = world->manager.manager,
        .fleet = web_world_fleet(world)->fleet,
        .telemetry = &web_world_fleet(world)->telemetry,
    };
    world->client = -1;
    buffer_init(&world->answer, 1 << 20);
    web_world_start_server(world);
    return world;
}

static inline void web_world_close(struct web_world *world)
{
    if (!world->closed) web_world_stop_server(world);
    assert_int_equal(web_world_fleet(world)->telemetry.scrapes_running, 0);
    manager_world_close(&world->manager);
    buffer_deinit(&world->answer);
    free(world);
}

/*
 * Connects and sends a request. `line` is like "GET /". Each of the `headers` ends with CR LF. The server
 * receives the request when the loop runs.
 */
static inline void web_world_ask(struct web_world *world, const char *line, const char *headers)
{
    struct buffer request;
    struct sockaddr_in name = {
        .sin_family = AF_INET, .sin_port = htons(world->port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    buffer_init(&request, 65536);
    buffer_printf(&request, "%s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n%s\r\n", line, headers);
    world->client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(world->client, (struct sockaddr *) &name, sizeof(name)), 0);
    assert_int_equal(send(world->client, request.data, request.len, MSG_NOSIGNAL), request.len);
    buffer_deinit(&request);
}

static inline void web_world_leave(struct web_world *world)
{
    close(world->client);
    world->client = -1;
}

/*
 * Reads the whole answer and checks that it begins with `status_line`. Returns head and body. The text
 * belongs to the world.
 */
static inline const char *web_world_answer(struct web_world *world, const char *status_line)
{
    ssize_t n = -1;
    buffer_clear(&world->answer);
    for (unsigned ms = 0; ms < 20000 && n != 0; ms++) {
        char *at = buffer_reserve(&world->answer, 65536);
        loop_run_for(&web_world_fleet(world)->loop, 1);
        n = recv(world->client, at, 65536, MSG_DONTWAIT);
        if (n > 0) world->answer.len += (size_t) n;
        assert_true(n >= 0 || errno == EAGAIN);
    }
    assert_int_equal(n, 0);
    web_world_leave(world);
    buffer_append_char(&world->answer, '\0');
    if (!slice_starts(buffer_slice(&world->answer), status_line))
        fail_msg("not %s:\n%s", status_line, world->answer.data);
    return world->answer.data;
}

static inline const char *web_world_body(const char *answer)
{
    return strstr(answer, "\r\n\r\n") + 4;
}

#endif
