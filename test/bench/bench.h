/*
 * Shared by the programs of the benchmark: clocks, fatal errors, addresses, and one server's four captured
 * replies. The programs exit at the first error, since figures of a broken run are worthless.
 */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The commands that the exporter asks by default, in its order. */
#define BENCH_COMMANDS 4
#define BENCH_REQUEST  "stats\r\nstats settings\r\nstats items\r\nstats slabs\r\n"

#define die(...) (fprintf(stderr, __VA_ARGS__), fputc('\n', stderr), exit(1))

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t) now.tv_sec * 1000000000 + (uint64_t) now.tv_nsec;
}

static inline uint64_t wall_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

/* Returns the CPU time of all threads, user and system. */
static inline uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

/* Parses an address like "127.0.0.1:11211". Exits if it is invalid. */
static inline struct sockaddr_in parse_address(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char host[INET_ADDRSTRLEN] = "";
    unsigned port = 0;
    if (sscanf(text, "%15[0-9.]:%u", host, &port) != 2 || port == 0 || port > UINT16_MAX ||
        inet_pton(AF_INET, host, &address.sin_addr) != 1)
        die("not an address: %s", text);
    address.sin_port = htons((uint16_t) port);
    return address;
}

/* The replies of one server, concatenated. */
struct capture {
    char *bytes;
    size_t ends[BENCH_COMMANDS + 1]; /* reply n is from ends[n] to ends[n + 1] */
};

/*
 * Reads PREFIX-stats.txt, PREFIX-stats-settings.txt and so on. The bytes are allocated and belong to the
 * caller.
 */
static inline struct capture read_capture(const char *prefix)
{
    static const char *const names[BENCH_COMMANDS] = {"stats", "stats-settings", "stats-items",
                                                      "stats-slabs"};
    enum { CAP = 1 << 20 };
    struct capture capture = {.bytes = malloc(CAP)};
    if (!capture.bytes) die("no memory");
    for (size_t n = 0; n < BENCH_COMMANDS; n++) {
        char path[1024];
        snprintf(path, sizeof(path), "%s-%s.txt", prefix, names[n]);
        FILE *file = fopen(path, "rb");
        if (!file) die("%s: %s", path, strerror(errno));
        size_t at = capture.ends[n];
        capture.ends[n + 1] = at + fread(capture.bytes + at, 1, CAP - at, file);
        fclose(file);
    }
    return capture;
}

#endif
