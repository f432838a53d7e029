/*
 * Simulates thousands of memcached servers in one process. Every address of 127/8 answers on one port. Each
 * stats command gets the same captured reply.
 *
 *     fleet PORT CAPTURE [THREADS]
 *
 * CAPTURE is the common prefix of four files, see bench.h. The program prints "ready" when it listens, and
 * runs until it is killed.
 *
 *     accept_all -> on_readable* -> take_lines -> answer -> [on_writable] -> ...
 *
 * The simulation must be much faster than the programs that are measured with it. Replies are contiguous in
 * memory. So one write answers consecutive commands if they come in the order of the replies. If a peer does
 * not read its replies, nothing is read from its connection until it does.
 */
#include "bench.h"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Longest request line. */
#define LINE_MAX_LEN 64

struct connection {
    int fd;
    size_t at, end; /* range of the replies that is to be written */
    size_t rest_len;
    char rest[LINE_MAX_LEN]; /* received bytes that are not answered yet */
};

struct server {
    pthread_t thread;
    const char *replies;
    const size_t *ends;
    int listener, epoll;
};

static const char *const commands[BENCH_COMMANDS] = {"stats", "stats settings", "stats items", "stats slabs"};

static void drop(struct connection *connection)
{
    close(connection->fd);
    free(connection);
}

static void listen_for(struct server *server, struct connection *connection, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = connection};
    if (epoll_ctl(server->epoll, operation, connection->fd, &event) < 0) die("epoll: %s", strerror(errno));
}

/* --- Answers --- */

/* Writes the due range. Returns false if the kernel takes no more for now, or on an error; see errno. */
static bool write_due(const struct server *server, struct connection *connection)
{
    while (connection->at < connection->end) {
        ssize_t n = send(connection->fd, server->replies + connection->at, connection->end - connection->at,
                         MSG_NOSIGNAL);
        if (n < 0) return false;
        connection->at += (size_t) n;
    }
    return true;
}

/*
 * Adds the command's reply to the due range. Returns false if the reply does not directly follow that range:
 * then the range must be written first.
 */
static bool answer(const struct server *server, struct connection *connection, size_t command)
{
    size_t start = server->ends[command], end = server->ends[command + 1];
    if (connection->at == connection->end)
        connection->at = start;
    else if (connection->end != start)
        return false;
    connection->end = end;
    return true;
}

static size_t find_command(const char *line, size_t len)
{
    if (len && line[len - 1] == '\r') len--;
    for (size_t n = 0; n < BENCH_COMMANDS; n++)
        if (strlen(commands[n]) == len && memcmp(commands[n], line, len) == 0) return n;
    die("a command that is not captured: %.*s", (int) len, line);
}

/* Answers whole lines. Returns the number of bytes taken. Stops early if a write must come first. */
static size_t take_lines(const struct server *server, struct connection *connection, const char *bytes,
                         size_t len)
{
    size_t taken = 0;
    const char *end;
    while ((end = memchr(bytes + taken, '\n', len - taken))) {
        size_t line_len = (size_t) (end - bytes) - taken;
        size_t command = find_command(bytes + taken, line_len);
        if (!answer(server, connection, command)) break;
        taken += line_len + 1;
    }
    return taken;
}

/* --- Events --- */

/*
 * Answers all whole lines and keeps the rest. The rest is short enough, since a client sends a few lines and
 * then waits.
 */
static void serve(struct server *server, struct connection *connection, char *bytes, size_t len)
{
    size_t taken;
    do {
        taken = take_lines(server, connection, bytes, len);
        bytes += taken;
        len -= taken;
        if (!write_due(server, connection)) break;
    } while (taken && len);
    if (len > sizeof(connection->rest)) die("too many commands at once");
    memcpy(connection->rest, bytes, len);
    connection->rest_len = len;
    if (connection->at < connection->end) listen_for(server, connection, EPOLL_CTL_MOD, EPOLLOUT);
}

static void on_readable(struct server *server, struct connection *connection)
{
    char bytes[4096];
    size_t rest = connection->rest_len;
    memcpy(bytes, connection->rest, rest);
    ssize_t n = read(connection->fd, bytes + rest, sizeof(bytes) - rest);
    if (n > 0)
        serve(server, connection, bytes, rest + (size_t) n);
    else if (n == 0 || errno != EAGAIN)
        drop(connection);
}

static void on_writable(struct server *server, struct connection *connection)
{
    char bytes[LINE_MAX_LEN];
    size_t len = connection->rest_len;
    if (write_due(server, connection)) {
        listen_for(server, connection, EPOLL_CTL_MOD, EPOLLIN);
        memcpy(bytes, connection->rest, len);
        serve(server, connection, bytes, len);
    } else if (errno != EAGAIN) {
        drop(connection);
    }
}

static void accept_all(struct server *server)
{
    int fd;
    while ((fd = accept4(server->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        struct connection *connection = calloc(1, sizeof(*connection));
        if (!connection) die("no memory");
        connection->fd = fd;
        listen_for(server, connection, EPOLL_CTL_ADD, EPOLLIN);
    }
    if (errno == EMFILE || errno == ENFILE) die("accept: %s; raise ulimit -n", strerror(errno));
}

static void *run(void *context)
{
    struct server *server = context;
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(server->epoll, events, 256, -1);
        for (int n = 0; n < count; n++) {
            struct connection *connection = events[n].data.ptr;
            if (!connection)
                accept_all(server);
            else if (events[n].events & EPOLLOUT)
                on_writable(server, connection);
            else
                on_readable(server, connection);
        }
    }
    return NULL;
}

/* --- Start --- */

/* Opens a listener on all addresses of the loopback interface only. Other machines cannot connect. */
static int open_listener(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
    if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0) die("lo: %s", strerror(errno));
    if (bind(fd, (struct sockaddr *) &address, sizeof(address)) < 0 || listen(fd, 65535) < 0)
        die("port %d: %s", port, strerror(errno));
    return fd;
}

static void start(struct server *server, const struct capture *capture, uint16_t port)
{
    struct epoll_event event = {.events = EPOLLIN};
    server->replies = capture->bytes;
    server->ends = capture->ends;
    server->listener = open_listener(port);
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event) < 0)
        die("epoll: %s", strerror(errno));
    if (pthread_create(&server->thread, NULL, run, server)) die("no thread");
}

int main(int argc, char **argv)
{
    static struct server servers[64];
    struct rlimit files;
    if (argc < 3) die("usage: fleet PORT CAPTURE [THREADS]");
    size_t threads = argc > 3 ? strtoul(argv[3], NULL, 10) : 1;
    struct capture capture = read_capture(argv[2]);
    if (threads < 1 || threads > 64) die("from 1 to 64 threads");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    for (size_t n = 0; n < threads; n++) start(&servers[n], &capture, (uint16_t) strtoul(argv[1], NULL, 10));
    printf("ready\n");
    fflush(stdout);
    pthread_join(servers[0].thread, NULL);
}
