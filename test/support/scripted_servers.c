/*
 * scripted_servers COUNT FIRST-ADDRESS PORT
 *
 * Runs COUNT scripted servers, on FIRST-ADDRESS and the addresses after it, all on the same port. Prints
 * "ready" when all listen. Reads lines of the form "WHO LINE" from stdin. WHO is the number of a server,
 * "FROM-TO", or "*" for all. LINE is a line as in scripted.h. The program ends at the end of stdin. It prints
 * these lines, with times in nanoseconds of the monotonic clock:
 *
 *     answered SERVER NUMBER ASKED ANSWERED    a complete answer to `stats` was sent
 *     done COUNT TIME                          COUNT lines have been processed by TIME
 *     bad LINE: expected WHAT                  LINE was invalid
 */
#include "base/container.h"
#include "scripted.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static struct scripted_server *servers;
static unsigned count;
static char input[1 << 20];
static size_t heard;
static unsigned long long followed;
static uv_timer_t flush;

static void on_answer(struct scripted_server *server, uint64_t number, uint64_t asked_ns,
                      uint64_t answered_ns)
{
    printf("answered %u %llu %llu %llu\n", server->id, (unsigned long long) number,
           (unsigned long long) asked_ns, (unsigned long long) answered_ns);
}

static void follow(const char *line)
{
    unsigned from = 0, to = count - 1;
    int len = 0;
    const char *expected = NULL;
    if (strncmp(line, "* ", 2) == 0) {
        len = 2;
    } else if (sscanf(line, "%u-%u %n", &from, &to, &len) != 2 || !len) {
        len = 0;
        if (sscanf(line, "%u %n", &from, &len) != 1) len = 0;
        to = from;
    }
    if (!len || to >= count) expected = "servers";
    for (unsigned n = from; !expected && n <= to; n++) expected = scripted_do(&servers[n], line + len);
    followed++;
    if (expected) printf("bad %s: expected %s\n", line, expected);
}

static void on_lend(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void) handle, (void) suggested;
    *buffer = uv_buf_init(input + heard, (unsigned) (sizeof(input) - heard));
}

static void on_input(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    (void) buffer;
    if (n < 0) {
        uv_close((uv_handle_t *) stream, NULL);
        uv_close((uv_handle_t *) &flush, NULL);
        for (unsigned i = 0; i < count; i++) scripted_stop(&servers[i]);
        return;
    }
    heard += (size_t) n;
    char *at = input, *end;
    while ((end = memchr(at, '\n', heard - (size_t) (at - input)))) {
        *end = '\0';
        follow(at);
        at = end + 1;
    }
    heard -= (size_t) (at - input);
    memmove(input, at, heard);
    printf("done %llu %llu\n", followed, (unsigned long long) uv_hrtime());
    fflush(stdout);
}

static void on_flush(uv_timer_t *timer)
{
    (void) timer;
    fflush(stdout);
}

static void start_all(uv_loop_t *loop, const char *first, int port)
{
    struct in_addr address;
    if (inet_pton(AF_INET, first, &address) != 1) exit(2);
    for (unsigned n = 0; n < count; n++) {
        struct in_addr at = {htonl(ntohl(address.s_addr) + n)};
        char host[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &at, host, sizeof(host));
        int status = scripted_start(&servers[n], loop, n, host, port);
        if (status) {
            fprintf(stderr, "scripted_servers: %s:%d: %s\n", host, port, uv_strerror(status));
            exit(1);
        }
        servers[n].on_answer = on_answer;
    }
}

int main(int argc, char **argv)
{
    uv_loop_t loop;
    uv_pipe_t in;
    struct rlimit limit;
    if (argc != 4 || (count = (unsigned) strtoul(argv[1], NULL, 10)) == 0) {
        fprintf(stderr, "usage: scripted_servers COUNT FIRST-ADDRESS PORT\n");
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    signal(SIGPIPE, SIG_IGN);
    servers = calloc(count, sizeof(*servers));
    if (!servers || uv_loop_init(&loop)) return 1;
    start_all(&loop, argv[2], (int) strtoul(argv[3], NULL, 10));
    uv_pipe_init(&loop, &in, 0);
    uv_pipe_open(&in, 0);
    uv_read_start((uv_stream_t *) &in, on_lend, on_input);
    uv_timer_init(&loop, &flush);
    uv_timer_start(&flush, on_flush, 20, 20);
    printf("ready\n");
    fflush(stdout);
    uv_run(&loop, UV_RUN_DEFAULT);
    free(servers);
    return uv_loop_close(&loop) != 0;
}
