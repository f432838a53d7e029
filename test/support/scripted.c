/*
 *     on_acceptable -> on_read -> answer_line (fills `out`) -> begin -> send_piece -> ... -> on_sent
 *
 * on_step sends the next piece, if the behaviour has pauses. on_extra sends what follows an answer.
 * Everything is written by uv_try_write: answers fit into the kernel's buffers, and a flood retries.
 */
#include "scripted.h"

#include "base/container.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG     512
#define OUT_MAX     (64 * 1024 * 1024)
#define RETRY_MS    2
#define FLOOD_BYTES 16384
#define UNASKED     "STAT curr_items 999999999\r\nSTAT total_items 999999999\r\nEND\r\n"

/* Meaning of a behaviour's argument. */
enum argument { NOTHING, WAIT_MS, PIECE_BYTES, PACE_MS, LIMIT_BYTES, AFTER_MS, TEXT };

/* What happens after the answer, or after the part of it that is sent. */
enum ending { STAYS, STUCK, ENDS, RESETS, HALF_CLOSES, REPEATS, SPEAKS, FLOODS };

struct behaviour {
    const char *name;
    enum argument argument;
    enum ending ending;
};

static const struct behaviour behaviours[] = {
    {"answer", NOTHING, STAYS},    {"delay", WAIT_MS, STAYS},    {"split", PIECE_BYTES, STAYS},
    {"drip", PACE_MS, STAYS},      {"cut", LIMIT_BYTES, STUCK},  {"mute", NOTHING, STUCK},
    {"fin", LIMIT_BYTES, ENDS},    {"rst", LIMIT_BYTES, RESETS}, {"halfclose", NOTHING, HALF_CLOSES},
    {"garbage", NOTHING, STAYS},   {"flood", NOTHING, FLOODS},   {"twice", AFTER_MS, REPEATS},
    {"unasked", AFTER_MS, SPEAKS}, {"say", TEXT, STAYS},
};

struct connection {
    struct link link; /* in `open` of the server */
    struct scripted_server *server;
    uv_tcp_t tcp;
    uv_timer_t step, extra;
    unsigned handles; /* number of handles that are not closed */
    bool busy, lost;
    char line[256];
    size_t heard; /* bytes of an unfinished line in `line` */
    struct buffer out, later;
    size_t sent, limit;                /* bytes of `out` that are sent, and that are to be sent */
    const struct behaviour *behaviour; /* behaviour of the answer in progress */
    unsigned argument;
    uint64_t number, asked_ns;
};

/* --- The end of a connection --- */

static void on_closed(uv_handle_t *handle)
{
    struct connection *connection = handle->data;
    if (--connection->handles) return;
    buffer_deinit(&connection->out);
    buffer_deinit(&connection->later);
    free(connection);
}

static bool detach(struct connection *connection)
{
    if (!link_is_linked(&connection->link)) return false;
    link_remove(&connection->link);
    uv_close((uv_handle_t *) &connection->step, on_closed);
    uv_close((uv_handle_t *) &connection->extra, on_closed);
    return true;
}

static void end(struct connection *connection)
{
    if (detach(connection)) uv_close((uv_handle_t *) &connection->tcp, on_closed);
}

static void reset(struct connection *connection)
{
    if (!detach(connection)) return;
    if (uv_tcp_close_reset(&connection->tcp, on_closed))
        uv_close((uv_handle_t *) &connection->tcp, on_closed);
}

/* --- The answer --- */

static void on_step(uv_timer_t *timer);
static void on_extra(uv_timer_t *timer);
static void begin(struct connection *connection);

/* Returns the number of bytes written, or a negative code. Returns 0 for UV_EAGAIN. */
static int try_write(struct connection *connection, const char *data, size_t len)
{
    uv_buf_t piece = uv_buf_init((char *) (uintptr_t) data, (unsigned) len);
    int written = uv_try_write((uv_stream_t *) &connection->tcp, &piece, 1);
    return written == UV_EAGAIN ? 0 : written;
}

static void flood(struct connection *connection)
{
    static char lines[FLOOD_BYTES];
    static size_t len;
    for (unsigned n = 0; !len || len + 40 < sizeof(lines); n++) {
        len += (size_t) snprintf(lines + len, sizeof(lines) - len, "STAT flood_%u %u\r\n", n, n);
    }
    if (try_write(connection, lines, len) < 0) {
        end(connection);
    } else {
        uv_timer_start(&connection->step, on_step, RETRY_MS, 0);
    }
}

static void half_close(struct connection *connection)
{
    uv_os_fd_t descriptor;
    if (uv_fileno((uv_handle_t *) &connection->tcp, &descriptor) == 0) shutdown(descriptor, SHUT_WR);
    connection->lost = true;
}

/* Called when the answer is sent up to its limit. */
static void on_sent(struct connection *connection)
{
    struct scripted_server *server = connection->server;
    bool whole = connection->sent == connection->out.len;
    if (whole && server->on_answer && connection->behaviour->ending != FLOODS)
        server->on_answer(server, connection->number, connection->asked_ns, uv_hrtime());
    switch (connection->behaviour->ending) {
    case STUCK:
        connection->lost = true;
        return;
    case ENDS:
        end(connection);
        return;
    case RESETS:
        reset(connection);
        return;
    case FLOODS:
        flood(connection);
        return;
    case HALF_CLOSES:
        half_close(connection);
        return;
    case REPEATS:
    case SPEAKS:
        buffer_clear(&connection->later);
        if (connection->behaviour->ending == REPEATS) {
            buffer_append(&connection->later, connection->out.data, connection->sent);
        } else {
            buffer_append_string(&connection->later, UNASKED);
        }
        uv_timer_start(&connection->extra, on_extra, connection->argument, 0);
        break;
    case STAYS:
        break;
    }
    connection->busy = false;
    buffer_clear(&connection->out);
}

static void send_piece(struct connection *connection)
{
    enum argument argument = connection->behaviour->argument;
    size_t most = argument == PIECE_BYTES ? connection->argument : argument == PACE_MS ? 1 : SIZE_MAX;
    size_t left = connection->limit - connection->sent;
    int written =
        left ? try_write(connection, connection->out.data + connection->sent, left < most ? left : most) : 0;
    if (written < 0) {
        end(connection);
        return;
    }
    connection->sent += (size_t) written;
    if (connection->sent == connection->limit) {
        on_sent(connection);
    } else {
        uint64_t pause_ms = argument == PACE_MS       ? connection->argument
                            : argument == PIECE_BYTES ? 0
                                                      : RETRY_MS;
        uv_timer_start(&connection->step, on_step, pause_ms, 0);
    }
}

static void on_step(uv_timer_t *timer)
{
    struct connection *connection = container_of(timer, struct connection, step);
    if (connection->behaviour->ending == FLOODS) {
        flood(connection);
    } else {
        send_piece(connection);
    }
}

/* Returns true if a request is being answered, or is waiting to be read. */
static bool is_asked(struct connection *connection)
{
    char byte;
    uv_os_fd_t descriptor;
    return connection->busy || (uv_fileno((uv_handle_t *) &connection->tcp, &descriptor) == 0 &&
                                recv(descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0);
}

static void on_extra(uv_timer_t *timer)
{
    struct connection *connection = container_of(timer, struct connection, extra);
    if (!connection->lost && !is_asked(connection))
        try_write(connection, connection->later.data, connection->later.len);
}

/* Begins to send the answer in `out`. */
static void begin(struct connection *connection)
{
    const struct scripted_server *server = connection->server;
    connection->busy = true;
    connection->behaviour = &behaviours[server->behaviour];
    connection->argument = server->argument;
    connection->sent = 0;
    connection->limit = connection->out.len;
    if (connection->behaviour->ending == STUCK || connection->behaviour->ending == FLOODS)
        connection->limit = 0;
    if (connection->behaviour->argument == LIMIT_BYTES)
        connection->limit = server->argument < connection->out.len ? server->argument : connection->out.len;
    if (connection->behaviour->argument == WAIT_MS) {
        uv_timer_start(&connection->step, on_step, connection->argument, 0);
    } else {
        send_piece(connection);
    }
}

/* --- The request --- */

static void append_garbage(struct buffer *out)
{
    for (unsigned byte = 0; byte < 256; byte++) buffer_append_char(out, (char) (byte ^ 0x80));
    buffer_append_string(out, "\r\n");
}

static void answer_line(struct connection *connection, const char *line)
{
    struct scripted_server *server = connection->server;
    struct buffer *out = &connection->out;
    bool is_stats = strcmp(line, "stats") == 0;
    if (is_stats) {
        connection->number = ++server->requests;
        connection->asked_ns = uv_hrtime();
    }
    if (strcmp(behaviours[server->behaviour].name, "garbage") == 0) {
        append_garbage(out);
    } else if (is_stats && server->text) {
        buffer_append_string(out, server->text);
    } else if (is_stats) {
        buffer_printf(out, "STAT pid 1\r\nSTAT uptime 10\r\nSTAT version 1.6.18\r\nSTAT curr_items %llu\r\n",
                      (unsigned long long) connection->number);
        buffer_printf(out, "STAT total_items %u\r\nEND\r\n", server->id);
    } else {
        buffer_append_string(out, strncmp(line, "stats ", 6) == 0 ? "END\r\n" : "ERROR\r\n");
    }
}

static void on_byte(struct connection *connection, char byte)
{
    if (byte != '\n') {
        if (connection->heard < sizeof(connection->line) - 1) connection->line[connection->heard++] = byte;
        return;
    }
    if (connection->heard && connection->line[connection->heard - 1] == '\r') connection->heard--;
    connection->line[connection->heard] = '\0';
    connection->heard = 0;
    answer_line(connection, connection->line);
}

static void on_lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    static char bytes[16384];
    (void) handle, (void) suggested;
    *buffer = uv_buf_init(bytes, sizeof(bytes));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    struct connection *connection = container_of((uv_tcp_t *) stream, struct connection, tcp);
    if (n < 0) {
        end(connection);
        return;
    }
    if (connection->lost) return;
    for (ssize_t i = 0; i < n; i++) on_byte(connection, buffer->base[i]);
    if (connection->out.len && !connection->busy) begin(connection);
}

static void add_connection(struct scripted_server *server, int descriptor)
{
    struct connection *connection = calloc(1, sizeof(*connection));
    if (!connection) abort();
    connection->server = server;
    connection->handles = 3;
    list_append(&server->open, &connection->link);
    buffer_init(&connection->out, OUT_MAX);
    buffer_init(&connection->later, OUT_MAX);
    uv_timer_init(server->loop, &connection->step);
    uv_timer_init(server->loop, &connection->extra);
    uv_tcp_init(server->loop, &connection->tcp);
    connection->step.data = connection->extra.data = connection->tcp.data = connection;
    if (uv_tcp_open(&connection->tcp, descriptor)) abort();
    uv_tcp_nodelay(&connection->tcp, 1);
    uv_read_start((uv_stream_t *) &connection->tcp, on_lend, on_read);
    server->accepted++;
}

static void on_acceptable(uv_poll_t *poll, int status, int events)
{
    struct scripted_server *server = container_of(poll, struct scripted_server, accepting);
    (void) status, (void) events;
    for (int descriptor;
         (descriptor = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0;)
        add_connection(server, descriptor);
}

/* --- Reachability --- */

static void end_all(struct scripted_server *server, void (*how)(struct connection *))
{
    list_each (&server->open, at, after) how(container_of(at, struct connection, link));
}

static void lose(struct connection *connection)
{
    connection->lost = true;
    uv_timer_stop(&connection->step);
    uv_timer_stop(&connection->extra);
}

static void be_reachable(struct scripted_server *server)
{
    if (server->reachable) return;
    for (unsigned n = 0; n < SCRIPTED_WAITING; n++) {
        if (server->waiting[n] >= 0) close(server->waiting[n]);
        server->waiting[n] = -1;
    }
    if (listen(server->listener, BACKLOG)) abort();
    uv_poll_start(&server->accepting, UV_READABLE, on_acceptable);
    server->reachable = true;
}

static void be_unreachable(struct scripted_server *server)
{
    be_reachable(server);
    uv_poll_stop(&server->accepting);
    end_all(server, end);
    server->reachable = false;
}

/* Opens connections that are never accepted, to fill the kernel's queue. */
static void fill(struct scripted_server *server)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    if (listen(server->listener, 0) || getsockname(server->listener, (struct sockaddr *) &address, &len))
        abort();
    for (unsigned n = 0; n < SCRIPTED_WAITING; n++) {
        server->waiting[n] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        connect(server->waiting[n], (struct sockaddr *) &address, sizeof(address));
    }
}

static bool reach(struct scripted_server *server, const char *line)
{
    bool refuse = strcmp(line, "refuse") == 0, full = strcmp(line, "full") == 0;
    if (!refuse && !full && strcmp(line, "deaf") != 0) return false;
    be_unreachable(server);
    /* shutdown() keeps the port bound. */
    if (refuse) shutdown(server->listener, SHUT_RD);
    if (full) fill(server);
    return true;
}

static bool act_once(struct scripted_server *server, const char *line)
{
    if (strcmp(line, "lose") == 0) {
        end_all(server, lose);
    } else if (strcmp(line, "drop") == 0) {
        end_all(server, end);
    } else if (strcmp(line, "reset") == 0) {
        end_all(server, reset);
    } else {
        return false;
    }
    return true;
}

/* --- The script --- */

/* Returns a copy of `text` with the escapes \r and \n replaced. */
static char *unescape(const char *text)
{
    char *copy = strdup(text), *at = copy;
    if (!copy) abort();
    for (; *text; text++) {
        if (text[0] == '\\' && (text[1] == 'r' || text[1] == 'n')) {
            *at++ = *++text == 'r' ? '\r' : '\n';
        } else {
            *at++ = *text;
        }
    }
    *at = '\0';
    return copy;
}

static const struct behaviour *find_behaviour(const char *line, size_t len)
{
    for (size_t n = 0; n < sizeof(behaviours) / sizeof(*behaviours); n++) {
        if (strlen(behaviours[n].name) == len && memcmp(behaviours[n].name, line, len) == 0)
            return &behaviours[n];
    }
    return NULL;
}

const char *scripted_do(struct scripted_server *server, const char *line)
{
    if (reach(server, line) || act_once(server, line)) return NULL;
    size_t len = strcspn(line, " ");
    const struct behaviour *behaviour = find_behaviour(line, len);
    const char *rest = line[len] ? line + len + 1 : line + len;
    char *after = NULL;
    if (!behaviour) return "a behaviour";
    unsigned long number = strtoul(rest, &after, 10);
    if (behaviour->argument == NOTHING && *rest) return "no argument";
    if (behaviour->argument != NOTHING && behaviour->argument != TEXT &&
        (after == rest || *after || number > 3600000))
        return "a number";
    free(server->text);
    server->text = behaviour->argument == TEXT ? unescape(rest) : NULL;
    server->behaviour = (unsigned) (behaviour - behaviours);
    server->argument = behaviour->argument == PIECE_BYTES && !number ? 1 : (unsigned) number;
    be_reachable(server);
    return NULL;
}

/*
 * Binds the listener, and returns the port or a negative libuv code. For port 0, a free port is found first
 * and bound by its number. Such a port stays bound while the listener is shut down.
 */
static int bind_to(int descriptor, const char *host, int port)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);
    int on = 1;
    int status = uv_ip4_addr(host, port, &address);
    if (status == 0 && port == 0) {
        int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(probe, (struct sockaddr *) &address, len) ||
            getsockname(probe, (struct sockaddr *) &address, &len))
            status = uv_translate_sys_error(errno);
        close(probe);
    }
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (status == 0 && bind(descriptor, (struct sockaddr *) &address, sizeof(address)))
        status = uv_translate_sys_error(errno);
    return status ? status : ntohs(address.sin_port);
}

int scripted_start(struct scripted_server *server, uv_loop_t *loop, unsigned id, const char *host, int port)
{
    *server = (struct scripted_server){.loop = loop, .id = id};
    for (unsigned n = 0; n < SCRIPTED_WAITING; n++) server->waiting[n] = -1;
    list_init(&server->open);
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (server->listener < 0) return uv_translate_sys_error(errno);
    int status = bind_to(server->listener, host, port);
    server->port = status;
    if (status > 0) status = uv_poll_init(loop, &server->accepting, server->listener);
    if (status < 0) {
        close(server->listener);
        return status;
    }
    be_reachable(server);
    return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    close(container_of((uv_poll_t *) handle, struct scripted_server, accepting)->listener);
}

void scripted_stop(struct scripted_server *server)
{
    be_unreachable(server);
    free(server->text);
    server->text = NULL;
    uv_close((uv_handle_t *) &server->accepting, on_poll_closed);
}
