/*
 * A library for LD_PRELOAD that makes the system fail while a program runs. $FAULTY_SYSTEM names a file of
 * 64-bit numbers, which a test changes meanwhile (support/faulty.py):
 *
 *     0  seconds by which the clock of the day is off
 *     1  the errno of every new descriptor (socket, accept, open), or 0
 *     2  not 0: to open a file with "hanging" in its path lasts until this is 0, as on a network that is gone
 *     3  the errno of reading a file with "broken" in its path, or 0
 *     4  the errno of every write to standard error, or 0
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { SECONDS, NO_DESCRIPTOR, HANGING, BROKEN, STDERR, NUMBERS };

static volatile int64_t none[NUMBERS];
static volatile int64_t *numbers = none;

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("FAULTY_SYSTEM");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *shared = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (shared != MAP_FAILED) numbers = shared;
}

#define REAL(name) ((__typeof__(&name)) dlsym(RTLD_NEXT, #name))

static int fails(int number)
{
    if (!numbers[number]) return 0;
    errno = (int) numbers[number];
    return 1;
}

/* --- Time --- */

int clock_gettime(clockid_t clock, struct timespec *time)
{
    static __typeof__(&clock_gettime) real;
    if (!real) real = REAL(clock_gettime);
    int result = real(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += numbers[SECONDS];
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec time;
    (void) zone;
    clock_gettime(CLOCK_REALTIME, &time);
    *now = (struct timeval){.tv_sec = time.tv_sec, .tv_usec = time.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

/* --- Descriptors --- */

int socket(int domain, int type, int protocol)
{
    return fails(NO_DESCRIPTOR) ? -1 : REAL(socket)(domain, type, protocol);
}

int accept4(int fd, struct sockaddr *restrict address, socklen_t *restrict len, int flags)
{
    return fails(NO_DESCRIPTOR) ? -1 : REAL(accept4)(fd, address, len, flags);
}

static int open_file(const char *path, int flags, mode_t mode)
{
    while (numbers[HANGING] && strstr(path, "hanging")) usleep(1000);
    return fails(NO_DESCRIPTOR) ? -1 : REAL(openat)(AT_FDCWD, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list values;
    va_start(values, flags);
    mode_t mode = flags & O_CREAT ? va_arg(values, mode_t) : 0;
    va_end(values);
    return open_file(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list values;
    va_start(values, flags);
    mode_t mode = flags & O_CREAT ? va_arg(values, mode_t) : 0;
    va_end(values);
    return open_file(path, flags, mode);
}

int __open_2(const char *path, int flags)
{
    return open_file(path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_file(path, flags, 0);
}

/* --- Input and output --- */

static int is_broken(int fd)
{
    char name[64], path[4096];
    if (!numbers[BROKEN]) return 0;
    char digits[16];
    size_t len = 0;
    do digits[len++] = (char) ('0' + fd % 10);
    while (fd /= 10);
    strcpy(name, "/proc/self/fd/");
    for (size_t at = strlen(name); len; at++) {
        name[at] = digits[--len];
        name[at + 1] = '\0';
    }
    ssize_t length = readlink(name, path, sizeof(path) - 1);
    path[length > 0 ? length : 0] = '\0';
    return strstr(path, "broken") != NULL && fails(BROKEN);
}

ssize_t read(int fd, void *bytes, size_t count)
{
    return is_broken(fd) ? -1 : REAL(read)(fd, bytes, count);
}

ssize_t __read_chk(int fd, void *bytes, size_t count, size_t room)
{
    if (count > room) abort();
    return read(fd, bytes, count);
}

ssize_t write(int fd, const void *bytes, size_t count)
{
    return fd == STDERR_FILENO && fails(STDERR) ? -1 : REAL(write)(fd, bytes, count);
}
