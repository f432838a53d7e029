/*
 * A library for LD_PRELOAD that counts calls of a program into the kernel, of all its threads together.
 *
 * CALLS_FILE names a file of at least 4096 bytes. It receives one 64-bit number for each name in CALLS, in
 * that order. Its reader may set them to zero. A system call that the C library makes by itself is not
 * counted.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* test_calls.py has the same names in the same order. */
#define CALLS(C)                                                                                             \
    C(read)                                                                                                  \
    C(write)                                                                                                 \
    C(recv)                                                                                                  \
    C(epoll_ctl)                                                                                             \
    C(epoll_wait)                                                                                            \
    C(open)                                                                                                  \
    C(pread)                                                                                                 \
    C(stat)                                                                                                  \
    C(getrlimit)                                                                                             \
    C(malloc_trim)

enum call {
#define NUMBER(name) CALL_##name,
    CALLS(NUMBER)
};

static _Atomic uint64_t *counts;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("CALLS_FILE");
    int file = name ? open(name, O_RDWR | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;
    if (file >= 0) memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (memory != MAP_FAILED) counts = memory;
    if (file >= 0) close(file);
}

static void count(enum call call)
{
    if (counts) atomic_fetch_add(&counts[call], 1);
}

/* Defines `name`, which counts a call and forwards it. */
#define COUNTED(call, type, name, parameters, ...)                                                           \
    type name parameters                                                                                     \
    {                                                                                                        \
        static type(*next) parameters;                                                                       \
        if (!next) *(void **) &next = dlsym(RTLD_NEXT, #name);                                               \
        count(CALL_##call);                                                                                  \
        return next(__VA_ARGS__);                                                                            \
    }

COUNTED(read, ssize_t, read, (int file, void *bytes, size_t size), file, bytes, size)
COUNTED(write, ssize_t, write, (int file, const void *bytes, size_t size), file, bytes, size)
COUNTED(recv, ssize_t, recv, (int file, void *bytes, size_t size, int flags), file, bytes, size, flags)
COUNTED(epoll_ctl, int, epoll_ctl, (int epoll, int what, int file, struct epoll_event *event), epoll, what,
        file, event)
COUNTED(epoll_wait, int, epoll_wait, (int epoll, struct epoll_event *events, int size, int ms), epoll, events,
        size, ms)
COUNTED(epoll_wait, int, epoll_pwait,
        (int epoll, struct epoll_event *events, int size, int ms, const sigset_t *mask), epoll, events, size,
        ms, mask)
COUNTED(pread, ssize_t, pread, (int file, void *bytes, size_t size, off_t at), file, bytes, size, at)
COUNTED(pread, ssize_t, pread64, (int file, void *bytes, size_t size, off64_t at), file, bytes, size, at)
COUNTED(stat, int, stat, (const char *path, struct stat *status), path, status)
COUNTED(stat, int, stat64, (const char *path, struct stat64 *status), path, status)
COUNTED(stat, int, fstat, (int file, struct stat *status), file, status)
COUNTED(stat, int, fstat64, (int file, struct stat64 *status), file, status)
COUNTED(getrlimit, int, getrlimit, (__rlimit_resource_t what, struct rlimit *limit), what, limit)
COUNTED(getrlimit, int, getrlimit64, (__rlimit_resource_t what, struct rlimit64 *limit), what, limit)
COUNTED(malloc_trim, int, malloc_trim, (size_t pad), pad)

/* The mode of a file that is created is lost if it is not forwarded. */
#define COUNTED_OPEN(name)                                                                                   \
    int name(const char *path, int flags, ...)                                                               \
    {                                                                                                        \
        static int (*next)(const char *, int, ...);                                                          \
        va_list rest;                                                                                        \
        va_start(rest, flags);                                                                               \
        unsigned mode = va_arg(rest, unsigned);                                                              \
        va_end(rest);                                                                                        \
        if (!next) *(void **) &next = dlsym(RTLD_NEXT, #name);                                               \
        count(CALL_open);                                                                                    \
        return next(path, flags, mode);                                                                      \
    }

COUNTED_OPEN(open)
COUNTED_OPEN(open64)
