/*
 * A cheap HTTP client: asks the exporter as Prometheus does, and discards the answers.
 *
 *     scraper [-n REQUESTS] [-w WARMUP] [-c CONNECTIONS] [-e ENCODING] [-b PATH] PORT PATHS
 *
 * PATHS is a file with one path per line; requests take the paths in turn. Each connection is kept and has
 * its own thread. So -c 16 keeps 16 requests in progress. With -b, an additional connection requests PATH
 * every two milliseconds in the meantime. The time of those answers shows how long the exporter's loop was
 * blocked. The program prints JSON: the total time, the time of each request and of each request of -b, and
 * the bytes of bodies as received.
 *
 * Answers must have status 200, and a length or chunks. The program exits on anything else, and after ten
 * seconds of silence.
 */
#include "bench.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 256
#define BESIDE_MAX      100000
#define BESIDE_PAUSE_NS 2000000

struct reader {
    int fd;
    size_t at, end;
    uint64_t bytes; /* bytes of all bodies */
    char buffer[256 * 1024];
};

static struct {
    struct sockaddr_in address;
    char **paths;
    size_t path_count;
    const char *encoding, *beside;
    size_t warmup, requests;
    atomic_size_t next;
    atomic_uint_fast64_t bytes;
    atomic_bool over;
    double *latency_ms, *beside_ms;
    size_t beside_count;
} run;

/* --- Reading --- */

static void fill(struct reader *reader)
{
    memmove(reader->buffer, reader->buffer + reader->at, reader->end - reader->at);
    reader->end -= reader->at;
    reader->at = 0;
    if (reader->end == sizeof(reader->buffer)) die("an endless line");
    ssize_t n = recv(reader->fd, reader->buffer + reader->end, sizeof(reader->buffer) - reader->end, 0);
    if (n <= 0) die("the answer ends early: %s", n ? strerror(errno) : "closed");
    reader->end += (size_t) n;
}

/* Returns the next line, with its CRLF replaced by NUL. It is valid until the next read. */
static char *next_line(struct reader *reader)
{
    char *end;
    while (!(end = memchr(reader->buffer + reader->at, '\n', reader->end - reader->at))) fill(reader);
    char *line = reader->buffer + reader->at;
    reader->at = (size_t) (end - reader->buffer) + 1;
    if (end > line) end--;
    *end = '\0';
    return line;
}

static void skip(struct reader *reader, uint64_t len)
{
    while (len) {
        if (reader->at == reader->end) {
            reader->at = reader->end = 0;
            fill(reader);
        }
        size_t have = reader->end - reader->at;
        if (have > len) have = (size_t) len;
        reader->at += have;
        len -= have;
    }
}

static void skip_chunks(struct reader *reader)
{
    uint64_t len;
    do {
        len = strtoull(next_line(reader), NULL, 16);
        skip(reader, len + 2);
        reader->bytes += len;
    } while (len);
}

static void skip_answer(struct reader *reader)
{
    char *line = next_line(reader);
    uint64_t len = UINT64_MAX;
    bool chunked = false;
    if (strncmp(line, "HTTP/1.1 200", 12) != 0) die("the answer is %s", line);
    while (*(line = next_line(reader))) {
        if (strncasecmp(line, "Content-Length:", 15) == 0) len = strtoull(line + 15, NULL, 10);
        if (strcasecmp(line, "Transfer-Encoding: chunked") == 0) chunked = true;
        if (strcasecmp(line, "Connection: close") == 0) die("the connection is not kept");
    }
    if (chunked) {
        skip_chunks(reader);
    } else if (len != UINT64_MAX) {
        skip(reader, len);
        reader->bytes += len;
    } else {
        die("an answer without an end");
    }
}

/* --- Asking --- */

static struct reader *open_reader(void)
{
    struct reader *reader = malloc(sizeof(*reader));
    struct timeval patience = {.tv_sec = 10};
    int on = 1;
    if (!reader) die("no memory");
    reader->at = reader->end = 0;
    reader->bytes = 0;
    reader->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(reader->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(reader->fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    if (connect(reader->fd, (struct sockaddr *) &run.address, sizeof(run.address)) < 0)
        die("connect: %s", strerror(errno));
    return reader;
}

static void close_reader(struct reader *reader)
{
    close(reader->fd);
    free(reader);
}

/* Sends a request and reads its answer. Returns the time in milliseconds. */
static double ask(struct reader *reader, const char *path, const char *encoding)
{
    char request[64 * 1024];
    int len = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n", path,
                       encoding ? "Accept-Encoding: " : "", encoding ? encoding : "", encoding ? "\r\n" : "");
    uint64_t start = wall_ns();
    if (send(reader->fd, request, (size_t) len, MSG_NOSIGNAL) != len) die("send: %s", strerror(errno));
    skip_answer(reader);
    return (double) (wall_ns() - start) / 1e6;
}

static const char *path_of(size_t n)
{
    return run.paths[n % run.path_count];
}

static void *on_connection(void *context)
{
    struct reader *reader = context;
    size_t n;
    while ((n = atomic_fetch_add(&run.next, 1)) < run.requests)
        run.latency_ms[n] = ask(reader, path_of(n), run.encoding);
    atomic_fetch_add(&run.bytes, reader->bytes);
    close_reader(reader);
    return NULL;
}

static void *on_beside(void *context)
{
    struct reader *reader = context;
    struct timespec pause = {.tv_nsec = BESIDE_PAUSE_NS};
    do {
        run.beside_ms[run.beside_count++] = ask(reader, run.beside, NULL);
        nanosleep(&pause, NULL);
    } while (!atomic_load(&run.over) && run.beside_count < BESIDE_MAX);
    close_reader(reader);
    return NULL;
}

/* --- Measuring --- */

static void read_paths(const char *name)
{
    FILE *file = fopen(name, "r");
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    if (!file) die("%s: %s", name, strerror(errno));
    while ((len = getline(&line, &size, file)) > 0) {
        line[len - 1] = '\0';
        run.paths = realloc(run.paths, (run.path_count + 1) * sizeof(*run.paths));
        if (!run.paths) die("no memory");
        run.paths[run.path_count++] = line;
        line = NULL;
        size = 0;
    }
    free(line);
    fclose(file);
    if (!run.path_count) die("%s: no paths", name);
}

static void print_array(const char *name, const double *values, size_t count)
{
    printf("\"%s\": [", name);
    for (size_t n = 0; n < count; n++) printf("%s%.6f", n ? ", " : "", values[n]);
    printf("], ");
}

/*
 * Measures the requests. Each connection first makes its share of the warm-up requests, which are not
 * measured.
 */
static void measure(size_t connections)
{
    pthread_t threads[CONNECTIONS_MAX], beside;
    struct reader *readers[CONNECTIONS_MAX];
    for (size_t n = 0; n < connections; n++) {
        readers[n] = open_reader();
        for (size_t w = n; w < run.warmup; w += connections) ask(readers[n], path_of(w), run.encoding);
        readers[n]->bytes = 0;
    }
    if (run.beside && pthread_create(&beside, NULL, on_beside, open_reader())) die("no thread");
    uint64_t start = wall_ns();
    for (size_t n = 1; n < connections; n++)
        if (pthread_create(&threads[n], NULL, on_connection, readers[n])) die("no thread");
    on_connection(readers[0]);
    for (size_t n = 1; n < connections; n++) pthread_join(threads[n], NULL);
    double wall = (double) (wall_ns() - start) / 1e9;
    atomic_store(&run.over, true);
    if (run.beside) pthread_join(beside, NULL);

    printf("{");
    print_array("latency_ms", run.latency_ms, run.requests);
    print_array("beside_ms", run.beside_ms, run.beside_count);
    printf("\"bytes\": %llu, \"wall_s\": %.9f}\n", (unsigned long long) atomic_load(&run.bytes), wall);
}

int main(int argc, char **argv)
{
    size_t connections = 1;
    int option;
    run.requests = 1;
    while ((option = getopt(argc, argv, "n:w:c:e:b:")) != -1) {
        if (option == 'n') run.requests = strtoul(optarg, NULL, 10);
        if (option == 'w') run.warmup = strtoul(optarg, NULL, 10);
        if (option == 'c') connections = strtoul(optarg, NULL, 10);
        if (option == 'e') run.encoding = optarg;
        if (option == 'b') run.beside = optarg;
        if (option == '?') die("usage: scraper [-n N] [-w N] [-c N] [-e ENCODING] [-b PATH] PORT PATHS");
    }
    if (argc - optind != 2 || connections < 1 || connections > CONNECTIONS_MAX || run.requests < 1)
        die("scraper: wrong arguments");
    char address[32];
    snprintf(address, sizeof(address), "127.0.0.1:%.5s", argv[optind]);
    run.address = parse_address(address);
    read_paths(argv[optind + 1]);
    run.latency_ms = calloc(run.requests, sizeof(double));
    run.beside_ms = calloc(BESIDE_MAX, sizeof(double));
    if (!run.latency_ms || !run.beside_ms) die("no memory");
    measure(connections);
    for (size_t n = 0; n < run.path_count; n++) free(run.paths[n]);
    free(run.paths);
    free(run.latency_ms);
    free(run.beside_ms);
    return 0;
}
