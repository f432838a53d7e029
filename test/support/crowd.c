#include "crowd.h"

#include "base/buffer.h"
#include "base/container.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static void on_lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[4096];
    (void) handle, (void) suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_connection_closed(uv_handle_t *handle)
{
    free(container_of((uv_pipe_t *) handle, struct crowd_connection, pipe));
}

static void stop_asking(struct crowd_server *server)
{
    if (server->asked) server->crowd->asked--;
    server->asked = false;
}

static void end_connection(struct crowd_connection *connection)
{
    struct crowd_server *server = connection->server;
    if (server->connection == connection) {
        stop_asking(server);
        server->connection = NULL;
    }
    uv_close((uv_handle_t *) &connection->pipe, on_connection_closed);
}

static void on_request(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct crowd_connection *connection = container_of((uv_pipe_t *) stream, struct crowd_connection, pipe);
    struct crowd_server *server = connection->server;
    struct crowd *crowd = server->crowd;
    (void) buffer;
    if (n < 0) {
        end_connection(connection);
    } else if (n > 0 && server->connection == connection && !server->asked) {
        server->asked = true;
        if (++crowd->asked > crowd->most_asked) crowd->most_asked = crowd->asked;
    }
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct crowd_connection *connection = calloc(1, sizeof(*connection));
    assert_int_equal(status, 0);
    assert_non_null(connection);
    struct crowd_server *server = container_of((uv_pipe_t *) listener, struct crowd_server, listener);
    connection->server = server;
    if (!server->connection) server->connection = connection;
    uv_pipe_init(listener->loop, &connection->pipe, 0);
    assert_int_equal(uv_accept(listener, (uv_stream_t *) &connection->pipe), 0);
    uv_read_start((uv_stream_t *) &connection->pipe, on_lend, on_request);
}

static void listen_on(struct crowd *crowd, uv_loop_t *loop, struct crowd_server *server)
{
    server->crowd = crowd;
    snprintf(server->path, sizeof(server->path), "%s/%zu", crowd->directory,
             (size_t) (server - crowd->servers));
    uv_pipe_init(loop, &server->listener, 0);
    assert_int_equal(uv_pipe_bind(&server->listener, server->path), 0);
    assert_int_equal(uv_listen((uv_stream_t *) &server->listener, 1, on_connection), 0);
}

static void answer(struct crowd_server *server)
{
    uv_buf_t bytes = uv_buf_init(server->crowd->answer, (unsigned) server->crowd->answer_len);
    uv_stream_t *stream = (uv_stream_t *) &server->connection->pipe;
    stop_asking(server);
    assert_int_equal(uv_try_write(stream, &bytes, 1), bytes.len);
}

static void raise_limit(void)
{
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

void crowd_start(struct crowd *crowd, uv_loop_t *loop)
{
    *crowd = (struct crowd){.directory = "/tmp/crowd_XXXXXX"};
    assert_non_null(mkdtemp(crowd->directory));
    raise_limit();
    signal(SIGPIPE, SIG_IGN); /* as the program does */
    crowd_set_answer(crowd, 0);
    for (size_t n = 0; n < CROWD_SIZE; n++) listen_on(crowd, loop, &crowd->servers[n]);
}

void crowd_set_answer(struct crowd *crowd, size_t len)
{
    struct buffer text;
    buffer_init(&text, 1 << 20);
    while (text.len < len) buffer_append_string(&text, "STAT padding x\r\n");
    buffer_append_string(&text, "STAT pid 7\r\nEND\r\n");
    assert_false(text.failed);
    free(crowd->answer);
    crowd->answer = text.data;
    crowd->answer_len = text.len;
}

void crowd_answer(struct crowd *crowd, unsigned most)
{
    for (size_t n = 0; n < CROWD_SIZE && most > 0; n++) {
        struct crowd_server *server = &crowd->servers[n];
        if (!server->asked || server->is_mute) continue;
        answer(server);
        most--;
    }
}

void crowd_hang_up(struct crowd *crowd)
{
    for (size_t n = 0; n < CROWD_SIZE; n++) end_connection(crowd->servers[n].connection);
}

void crowd_stop(struct crowd *crowd)
{
    for (size_t n = 0; n < CROWD_SIZE; n++) uv_close((uv_handle_t *) &crowd->servers[n].listener, NULL);
    free(crowd->answer);
    crowd->answer = NULL;
    rmdir(crowd->directory);
}
