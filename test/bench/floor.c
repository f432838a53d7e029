/*
 * The baseline of the benchmark: measures what it costs to ask a fleet without using the answers.
 *
 *     floor TARGETS SWEEPS WARMUP [--fresh]    runs WARMUP sweeps, then measures SWEEPS sweeps
 *     floor TARGETS serve BYTES [--fresh]      answers each HTTP request after a sweep, with BYTES per target
 *
 * TARGETS is a file with one host:port per line. A sweep sends the same four commands to all targets, in one
 * write each, and reads until the fourth END of each target. Bytes are counted, not parsed. Connections are
 * kept between sweeps, or opened again for each sweep with --fresh. The program prints JSON: wall time and
 * CPU time per target of each sweep.
 *
 * As a server, the program does everything that an exporter must do, except to parse and encode. Exporters
 * are compared with it. It prints its port, which the kernel chooses, and serves one connection at a time.
 *
 *     sweep -> begin (connects, or sends) -> on_connected -> send_request -> on_readable* -> finish
 *
 * The program does as little as possible while it still checks that every answer is complete. It uses one
 * thread, one buffer, and edge-triggered epoll with one registration per connection. It exits if a target
 * fails or a sweep takes too long.
 */
#include "bench.h"

#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Most connections to open at once. A listener's queue is limited. A connection that finds the queue full is
 * retried a second later.
 */
#define CONNECTING_MAX 256

#define SWEEP_MAX_NS 20000000000

/* The end of a reply, with the line end before it. */
#define MARK "\nEND\r\n"
#define TAIL (sizeof(MARK) - 2)

struct connection {
    struct sockaddr_in address;
    int fd; /* -1 for none */
    bool connected;
    unsigned replies;
    char tail[TAIL]; /* the last bytes that were read; they may contain the beginning of a mark */
    size_t tail_len;
};

struct sweeper {
    struct connection *connections;
    size_t count, next, missing, connecting;
    int epoll;
    bool fresh;
    uint64_t bytes;
    char buffer[TAIL + 65536];
};

static void finish(struct sweeper *sweeper, struct connection *connection)
{
    sweeper->missing--;
    if (!sweeper->fresh) return;
    close(connection->fd);
    connection->fd = -1;
}

/* --- Reading --- */

/*
 * Returns the number of replies that end between `start` and `end`. Few other lines of a reply contain an E,
 * and memchr is fast.
 */
static unsigned count_ends(const char *start, const char *end)
{
    unsigned count = 0;
    for (const char *at = start + 1; (at = memchr(at, 'E', (size_t) (end - at))); at++)
        count += at[-1] == '\n' && (size_t) (end - at) >= TAIL && memcmp(at, MARK + 1, TAIL) == 0;
    return count;
}

static void take(struct connection *connection, char *bytes, size_t len)
{
    char *start = bytes - connection->tail_len, *end = bytes + len;
    memcpy(start, connection->tail, connection->tail_len);
    connection->replies += count_ends(start, end);
    connection->tail_len = (size_t) (end - start) < TAIL ? (size_t) (end - start) : TAIL;
    memcpy(connection->tail, end - connection->tail_len, connection->tail_len);
}

/*
 * Reads everything that the socket holds. A read that does not fill the buffer has emptied the socket, so the
 * next data gives a new event.
 */
static void on_readable(struct sweeper *sweeper, struct connection *connection)
{
    size_t room = sizeof(sweeper->buffer) - TAIL;
    ssize_t n;
    do {
        n = read(connection->fd, sweeper->buffer + TAIL, room);
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0) die("a server hung up in the middle of its answer");
        sweeper->bytes += (uint64_t) n;
        take(connection, sweeper->buffer + TAIL, (size_t) n);
    } while ((size_t) n == room);
    if (connection->replies == BENCH_COMMANDS) finish(sweeper, connection);
}

/* --- Asking --- */

static void send_request(struct connection *connection)
{
    size_t len = sizeof(BENCH_REQUEST) - 1;
    connection->replies = 0;
    connection->tail[0] = '\n'; /* as if a line had ended before the reply */
    connection->tail_len = 1;
    if (send(connection->fd, BENCH_REQUEST, len, MSG_NOSIGNAL) != (ssize_t) len)
        die("cannot send to port %d: %s", ntohs(connection->address.sin_port), strerror(errno));
}

static void on_connected(struct sweeper *sweeper, struct connection *connection)
{
    connection->connected = true;
    sweeper->connecting--;
    send_request(connection);
}

static void begin(struct sweeper *sweeper, struct connection *connection)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = connection};
    if (connection->fd >= 0) {
        send_request(connection);
        return;
    }
    connection->connected = false;
    connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (connection->fd < 0) die("socket: %s; for so many targets, raise ulimit -n", strerror(errno));
    if (connect(connection->fd, (struct sockaddr *) &connection->address, sizeof(connection->address)) < 0 &&
        errno != EINPROGRESS)
        die("connect: %s", strerror(errno));
    if (epoll_ctl(sweeper->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
        die("epoll: %s", strerror(errno));
    sweeper->connecting++;
}

static void handle_event(struct sweeper *sweeper, const struct epoll_event *event)
{
    struct connection *connection = event->data.ptr;
    if (!connection->connected) on_connected(sweeper, connection);
    if (event->events & EPOLLIN) on_readable(sweeper, connection);
}

static void sweep(struct sweeper *sweeper)
{
    struct epoll_event events[256];
    uint64_t deadline = wall_ns() + SWEEP_MAX_NS;
    sweeper->next = 0;
    sweeper->missing = sweeper->count;
    while (sweeper->missing) {
        while (sweeper->next < sweeper->count && sweeper->connecting < CONNECTING_MAX)
            begin(sweeper, &sweeper->connections[sweeper->next++]);
        int count = epoll_wait(sweeper->epoll, events, 256, 1000);
        for (int n = 0; n < count; n++) handle_event(sweeper, &events[n]);
        if (wall_ns() > deadline) die("%zu targets do not answer", sweeper->missing);
    }
}

/* --- Measuring --- */

static void read_targets(struct sweeper *sweeper, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[64];
    size_t size = 0;
    if (!file) die("%s: %s", path, strerror(errno));
    while (fgets(line, sizeof(line), file)) {
        if (sweeper->count == size) {
            size = size ? 2 * size : 64;
            sweeper->connections = realloc(sweeper->connections, size * sizeof(sweeper->connections[0]));
            if (!sweeper->connections) die("no memory");
        }
        sweeper->connections[sweeper->count++] =
            (struct connection){.address = parse_address(line), .fd = -1};
    }
    fclose(file);
    if (!sweeper->count) die("%s: no targets", path);
}

static void print_array(const char *name, const double *values, size_t count)
{
    printf("\"%s\": [", name);
    for (size_t n = 0; n < count; n++) printf("%s%.9f", n ? ", " : "", values[n]);
    printf("], ");
}

/*
 * Returns the peak of resident memory. getrusage() would include the memory of the program that started this
 * one.
 */
static long peak_kib(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    char line[256];
    long kib = 0;
    while (status && fgets(line, sizeof(line), status) && sscanf(line, "VmHWM: %ld", &kib) != 1) continue;
    if (status) fclose(status);
    return kib;
}

static void measure(struct sweeper *sweeper, size_t sweeps)
{
    double *wall = calloc(sweeps, sizeof(*wall)), *cpu = calloc(sweeps, sizeof(*cpu));
    if (!wall || !cpu) die("no memory");
    sweeper->bytes = 0;
    for (size_t n = 0; n < sweeps; n++) {
        uint64_t wall_start = wall_ns(), cpu_start = cpu_ns();
        sweep(sweeper);
        wall[n] = (double) (wall_ns() - wall_start) / 1e9;
        cpu[n] = (double) (cpu_ns() - cpu_start) / 1e3 / (double) sweeper->count;
    }
    printf("{");
    print_array("wall_s", wall, sweeps);
    print_array("cpu_us", cpu, sweeps);
    printf("\"bytes\": %.1f, ", (double) sweeper->bytes / (double) (sweeps * sweeper->count));
    printf("\"rss_kib\": %ld}\n", peak_kib());
    free(wall);
    free(cpu);
}

/* --- Serving --- */

/* Size of a write, as in the exporter. */
#define PIECE (256 * 1024)

static int start_listening(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *) &address, len) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *) &address, &len) < 0)
        die("cannot listen: %s", strerror(errno));
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

/*
 * Reads one request. The client must not send another one before the answer. Returns false if the client has
 * disconnected.
 */
static bool read_request(int client)
{
    static char request[8192];
    size_t len = 0;
    while (!memmem(request, len, "\r\n\r\n", 4)) {
        ssize_t n = recv(client, request + len, sizeof(request) - len, 0);
        if (n <= 0) return false;
        len += (size_t) n;
    }
    return true;
}

static bool send_all(int client, const char *bytes, size_t len, int flags)
{
    while (len) {
        ssize_t n = send(client, bytes, len, MSG_NOSIGNAL | flags);
        if (n < 0) return false;
        bytes += n;
        len -= (size_t) n;
    }
    return true;
}

static bool send_answer(int client, size_t len)
{
    static char piece[PIECE];
    char head[128];
    int head_len = snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
    if (!send_all(client, head, (size_t) head_len, MSG_MORE)) return false;
    for (; len > PIECE; len -= PIECE)
        if (!send_all(client, piece, PIECE, 0)) return false;
    return send_all(client, piece, len, 0);
}

/* Serves until the program is killed. */
static void serve(struct sweeper *sweeper, size_t bytes)
{
    int listener = start_listening(), on = 1;
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) die("accept: %s", strerror(errno));
        setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        do {
            if (!read_request(client)) break;
            sweep(sweeper);
        } while (send_answer(client, bytes * sweeper->count));
        close(client);
    }
}

int main(int argc, char **argv)
{
    static struct sweeper sweeper;
    if (argc < 4) die("usage: floor TARGETS SWEEPS WARMUP [--fresh] | floor TARGETS serve BYTES [--fresh]");
    read_targets(&sweeper, argv[1]);
    sweeper.fresh = argc > 4 && strcmp(argv[4], "--fresh") == 0;
    sweeper.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (sweeper.epoll < 0) die("epoll: %s", strerror(errno));
    if (strcmp(argv[2], "serve") == 0) serve(&sweeper, strtoul(argv[3], NULL, 10));

    size_t sweeps = strtoul(argv[2], NULL, 10), warmup = strtoul(argv[3], NULL, 10);
    if (sweeps == 0) die("nothing to do");
    for (size_t n = 0; n < warmup; n++) sweep(&sweeper);
    measure(&sweeper, sweeps);
    free(sweeper.connections);
    return 0;
}
