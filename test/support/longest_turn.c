/*
 * A library for LD_PRELOAD that measures the turns of a program's event loop. A turn is the time from the end
 * of one wait for events to the beginning of the next. It is measured as processor time of the main thread,
 * so a busy machine does not matter.
 *
 * TURNS_FILE names a file of at least two 64-bit numbers: the longest turn in nanoseconds, and the number of
 * turns. Its reader may set them to zero. If TURNS_LOUD is set to a number of milliseconds, each longer turn
 * is reported on stderr.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile uint64_t *turns; /* the longest turn in ns, and the number of turns */
static uint64_t began_ns, loud_ns;
static int (*next_wait)(int, struct epoll_event *, int, int);
static int (*next_pwait)(int, struct epoll_event *, int, int, const sigset_t *);

static uint64_t used_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("TURNS_FILE"), *loud = getenv("TURNS_LOUD");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;
    if (file >= 0) memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED) turns = memory;
    if (file >= 0) close(file);
    if (loud) loud_ns = strtoull(loud, NULL, 10) * 1000000u;
    *(void **) &next_wait = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **) &next_pwait = dlsym(RTLD_NEXT, "epoll_pwait");
}

static int is_watched(void)
{
    return turns && gettid() == getpid();
}

static void end_turn(void)
{
    uint64_t took_ns = used_ns() - began_ns;
    if (began_ns == 0) return;
    turns[1]++;
    if (took_ns > turns[0]) turns[0] = took_ns;
    if (loud_ns && took_ns > loud_ns)
        fprintf(stderr, "a turn of %llu us\n", (unsigned long long) took_ns / 1000);
}

int epoll_wait(int epoll, struct epoll_event *events, int count, int timeout)
{
    if (is_watched()) end_turn();
    int result = next_wait(epoll, events, count, timeout);
    if (is_watched()) began_ns = used_ns();
    return result;
}

int epoll_pwait(int epoll, struct epoll_event *events, int count, int timeout, const sigset_t *mask)
{
    if (is_watched()) end_turn();
    int result = next_pwait(epoll, events, count, timeout, mask);
    if (is_watched()) began_ns = used_ns();
    return result;
}
