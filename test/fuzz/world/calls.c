/*
 * The calls by which the program, libuv and c-ares touch the world; the linker puts these in the place of
 * those of libc (-Wl,--wrap=...). A call for a descriptor of the real kernel, such as that of a file, goes on
 * to libc.
 */
#include "descriptor.h"
#include "fault.h"
#include "files.h"
#include "script.h"
#include "wrap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* --- Descriptors that are no connections --- */

WRAP(int, epoll_create1, int flags)
{
    (void) flags;
    return descriptor_open(KIND_EPOLL);
}

WRAP(int, epoll_ctl, int epoll, int operation, int number, struct epoll_event *event)
{
    struct descriptor *descriptor = descriptor_of(number);
    (void) epoll;
    if (!descriptor) return fail_with(EPERM);
    if (operation == EPOLL_CTL_ADD && descriptor->watched) return fail_with(EEXIST);
    if (operation != EPOLL_CTL_ADD && !descriptor->watched) return fail_with(ENOENT);
    descriptor->watched = operation != EPOLL_CTL_DEL;
    if (descriptor->watched) descriptor->wish = *event;
    return 0;
}

WRAP(int, epoll_wait, int epoll, struct epoll_event *events, int most, int timeout_ms)
{
    (void) epoll;
    return kernel_wait(events, most, timeout_ms);
}

WRAP(int, epoll_pwait, int epoll, struct epoll_event *events, int most, int timeout_ms, const void *mask)
{
    (void) epoll, (void) mask;
    return kernel_wait(events, most, timeout_ms);
}

WRAP(int, eventfd, unsigned count, int flags)
{
    (void) count, (void) flags;
    return descriptor_open(KIND_EVENT);
}

/* libuv makes one blocking pipe for signals, once in a process. */
WRAP(int, pipe2, int ends[2], int flags)
{
    ends[0] = descriptor_open(KIND_PIPE);
    if (ends[0] < 0) return -1;
    ends[1] = descriptor_open(KIND_PIPE);
    if (ends[1] < 0) {
        descriptor_close(ends[0]);
        return -1;
    }
    for (int n = 0; n < 2; n++) {
        descriptor_of(ends[n])->other = ends[1 - n];
        descriptor_of(ends[n])->lasting = !(flags & O_NONBLOCK);
    }
    return 0;
}

WRAP(int, inotify_init1, int flags)
{
    (void) flags;
    return descriptor_open(KIND_WATCHES);
}

WRAP(int, inotify_add_watch, int number, const char *path, uint32_t mask)
{
    (void) path, (void) mask;
    return (int) ++descriptor_of(number)->count;
}

WRAP(int, inotify_rm_watch, int number, int watch)
{
    (void) number, (void) watch;
    return 0;
}

WRAP(int, close, int number)
{
    if (!descriptor_of(number)) return __real_close(number);
    descriptor_close(number);
    return 0;
}

/* libuv closes by number. */
WRAP(long, syscall, long number, ...)
{
    long words[6];
    va_list arguments;
    va_start(arguments, number);
    for (int n = 0; n < 6; n++) words[n] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_close) return __wrap_close((int) words[0]);
    return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

WRAP(int, ioctl, int number, unsigned long request, void *argument)
{
    return descriptor_of(number) ? 0 : __real_ioctl(number, request, argument);
}

static int control(int command)
{
    return command == F_GETFL ? O_RDWR | O_NONBLOCK : 0;
}

WRAP(int, fcntl, int number, int command, void *argument)
{
    return descriptor_of(number) ? control(command) : __real_fcntl(number, command, argument);
}

WRAP(int, fcntl64, int number, int command, void *argument)
{
    return descriptor_of(number) ? control(command) : __real_fcntl64(number, command, argument);
}

/* --- Sockets --- */

WRAP(int, socket, int family, int type, int protocol)
{
    (void) protocol;
    int number = descriptor_open((type & 0xf) == SOCK_DGRAM ? KIND_DATAGRAM : KIND_SOCKET);
    if (number >= 0) {
        descriptor_of(number)->family = family;
        descriptor_of(number)->name.ss_family = (sa_family_t) family;
    }
    return number;
}

static void set_name(struct sockaddr_storage *storage, const struct sockaddr *name, socklen_t len)
{
    memset(storage, 0, sizeof(*storage));
    memcpy(storage, name, len < sizeof(*storage) ? len : sizeof(*storage));
}

WRAP(int, bind, int number, const struct sockaddr *name, socklen_t len)
{
    set_name(&descriptor_of(number)->name, name, len);
    return 0;
}

WRAP(int, listen, int number, int backlog)
{
    (void) backlog;
    descriptor_of(number)->kind = KIND_LISTENER;
    return 0;
}

WRAP(int, accept4, int number, struct sockaddr *name, socklen_t *len, int flags)
{
    struct descriptor *listener = descriptor_of(number);
    (void) flags;
    if (listener->waiting == 0) return fail_with(EAGAIN);
    if (kernel_is_scarce()) {
        static const int errors[] = {0, 0, 0, 0, EMFILE, ENFILE, ECONNABORTED, EINTR};
        int error = errors[script_below(8)];
        if (error) return fail_with(error);
    }
    int accepted = listener->backlog[0];
    listener->waiting--;
    memmove(listener->backlog, listener->backlog + 1, listener->waiting * sizeof(listener->backlog[0]));
    descriptor_copy_name(&descriptor_of(accepted)->peer_name, name, len);
    return accepted;
}

WRAP(int, connect, int number, const struct sockaddr *name, socklen_t len)
{
    struct descriptor *descriptor = descriptor_of(number);
    set_name(&descriptor->peer_name, name, len);
    if (descriptor->kind == KIND_DATAGRAM) {
        set_name(&descriptor->name, name, len);
        return 0;
    }
    descriptor->kind = KIND_CONNECTING;
    int error = kernel_outside()->on_connect(number, name);
    kernel_trace("%d: connect, %s", number, strerror(error));
    if (error == 0) descriptor->kind = KIND_STREAM;
    if (error && error != EINPROGRESS) descriptor->kind = KIND_SOCKET;
    return error ? fail_with(error) : 0;
}

WRAP(int, getsockname, int number, struct sockaddr *name, socklen_t *len)
{
    const struct descriptor *descriptor = descriptor_of(number);
    return descriptor ? descriptor_copy_name(&descriptor->name, name, len)
                      : __real_getsockname(number, name, len);
}

WRAP(int, getpeername, int number, struct sockaddr *name, socklen_t *len)
{
    const struct descriptor *descriptor = descriptor_of(number);
    if (descriptor->kind != KIND_STREAM || descriptor->reset) return fail_with(ENOTCONN);
    return descriptor_copy_name(&descriptor->peer_name, name, len);
}

WRAP(int, getsockopt, int number, int level, int option, void *value, socklen_t *len)
{
    struct descriptor *descriptor = descriptor_of(number);
    if (!descriptor) return __real_getsockopt(number, level, option, value, len);
    int result = level == SOL_SOCKET && option == SO_ERROR  ? descriptor->error
                 : level == SOL_SOCKET && option == SO_TYPE ? SOCK_STREAM
                                                            : 0;
    memcpy(value, &result, sizeof(result));
    *len = sizeof(result);
    return 0;
}

WRAP(int, setsockopt, int number, int level, int option, const void *value, socklen_t len)
{
    return descriptor_of(number) ? 0 : __real_setsockopt(number, level, option, value, len);
}

WRAP(int, shutdown, int number, int how)
{
    struct descriptor *descriptor = descriptor_of(number);
    (void) how;
    if (descriptor->kind != KIND_STREAM || descriptor->reset) return fail_with(ENOTCONN);
    descriptor->shut = true;
    if (descriptor->peer && !descriptor->peer->ended) {
        descriptor->peer->ended = true;
        if (descriptor->peer->kind->on_end) descriptor->peer->kind->on_end(descriptor->peer);
    }
    return 0;
}

/* --- Time, signals, files --- */

WRAP(int, clock_gettime, clockid_t clock, struct timespec *time)
{
    if (!kernel_runs()) return __real_clock_gettime(clock, time);
    uint64_t ns = kernel_now() + (clock == CLOCK_REALTIME ? UINT64_C(1700000000000000000) : 0);
    kernel_work(100);
    *time = (struct timespec){(time_t) (ns / 1000000000), (long) (ns % 1000000000)};
    return 0;
}

WRAP(int, gettimeofday, struct timeval *time, void *zone)
{
    struct timespec now;
    (void) zone;
    __wrap_clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){now.tv_sec, now.tv_nsec / 1000};
    return 0;
}

WRAP(time_t, time, time_t *out)
{
    struct timespec now;
    __wrap_clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

WRAP(int, sigaction, int number, const struct sigaction *action, struct sigaction *old)
{
    if (!kernel_runs()) return __real_sigaction(number, action, old);
    kernel_handle_signal(number, action, old);
    return 0;
}

/* The program ends so if it is still there long after a signal to stop: something keeps it from ending. */
WRAP(void, quick_exit, int code)
{
    fault("the program gives up and ends with code %d", code);
}

WRAP(int, open64, const char *path, int flags, int mode)
{
    if (kernel_runs() && strncmp(path, "/proc/self/fd/", 14) == 0) return fail_with(EACCES); /* stderr anew */
    return __real_open64(files_path(path), flags, mode);
}

WRAP(FILE *, fopen, const char *path, const char *mode)
{
    return __real_fopen(files_path(path), mode);
}

WRAP(int, stat64, const char *path, struct stat *status)
{
    return __real_stat64(files_path(path), status);
}
