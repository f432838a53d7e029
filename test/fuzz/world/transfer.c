/* The calls by which bytes come and go, see calls.c. The script cuts them where it likes. */
#include "descriptor.h"
#include "script.h"
#include "wrap.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* --- Reading --- */

static ssize_t receive_datagram(struct descriptor *descriptor, void *bytes, size_t size)
{
    if (descriptor->datagram_count == 0) return fail_with(EAGAIN);
    struct slice first = descriptor->datagrams[0];
    size_t len = first.len < size ? first.len : size;
    memcpy(bytes, first.data, len);
    free((void *) (uintptr_t) first.data);
    descriptor->datagram_count--;
    memmove(descriptor->datagrams, descriptor->datagrams + 1,
            descriptor->datagram_count * sizeof(descriptor->datagrams[0]));
    return (ssize_t) len;
}

static ssize_t receive(struct descriptor *descriptor, void *bytes, size_t size, bool peek)
{
    if (descriptor->kind == KIND_DATAGRAM) return receive_datagram(descriptor, bytes, size);
    if (descriptor->kind == KIND_EVENT) {
        if (descriptor->count == 0) return fail_with(EAGAIN);
        memcpy(bytes, &descriptor->count, sizeof(descriptor->count));
        descriptor->count = 0;
        return sizeof(descriptor->count);
    }
    if (descriptor->reset) return fail_with(descriptor->error);
    size_t len = descriptor->in_len - descriptor->in_at;
    if (len == 0 && descriptor->finished) return 0;
    if (len == 0) return fail_with(EAGAIN);
    if (len > size) len = size;
    if (peek) {
        memcpy(bytes, descriptor->in + descriptor->in_at, len);
        return (ssize_t) len;
    }
    /* The script cuts where it likes. */
    size_t cut = descriptor->kind == KIND_STREAM && len > 1 ? script_byte() : 0;
    if (cut && cut < len) len = cut;
    memcpy(bytes, descriptor->in + descriptor->in_at, len);
    if (descriptor->kind == KIND_STREAM)
        kernel_trace("%d -> %.*s", descriptor_number(descriptor), len < 200 ? (int) len : 200,
                     (char *) bytes);
    descriptor->in_at += len;
    descriptor->read += len;
    if (descriptor->peer && descriptor->peer->kind->on_read)
        descriptor->peer->kind->on_read(descriptor->peer, descriptor->read);
    return (ssize_t) len;
}

WRAP(ssize_t, read, int number, void *bytes, size_t size)
{
    struct descriptor *descriptor = descriptor_of(number);
    return descriptor ? receive(descriptor, bytes, size, false) : __real_read(number, bytes, size);
}

WRAP(ssize_t, recv, int number, void *bytes, size_t size, int flags)
{
    struct descriptor *descriptor = descriptor_of(number);
    if (!descriptor) return fail_with(EBADF);
    return receive(descriptor, bytes, size, flags & MSG_PEEK);
}

WRAP(ssize_t, recvfrom, int number, void *bytes, size_t size, int flags, struct sockaddr *from,
     socklen_t *len)
{
    struct descriptor *descriptor = descriptor_of(number);
    ssize_t n = receive(descriptor, bytes, size, flags & MSG_PEEK);
    if (n >= 0 && from) descriptor_copy_name(&descriptor->peer_name, from, len);
    return n;
}

WRAP(int, poll, struct pollfd *files, nfds_t count, int timeout_ms)
{
    if (count != 1 || !descriptor_of(files->fd)) return __real_poll(files, count, timeout_ms);
    const struct descriptor *descriptor = descriptor_of(files->fd);
    bool readable = descriptor->in_at < descriptor->in_len || descriptor->finished || descriptor->reset;
    files->revents = (short) (files->events & (POLLOUT | (readable ? POLLIN : 0)));
    return files->revents != 0;
}

/* --- Writing --- */

/* What the log says is one line, without control characters. */
static ssize_t write_log(struct slice line)
{
    for (size_t n = 0; n + 1 < line.len; n++) {
        if ((unsigned char) line.data[n] < ' ')
            fault("a log line with a control character: %.*s", (int) line.len, line.data);
    }
    if (line.len && line.data[line.len - 1] != '\n') fault("a log line without an end");
    kernel_trace("%.*s", (int) line.len, line.data);
    return (ssize_t) line.len;
}

static ssize_t send_bytes(struct descriptor *descriptor, const void *bytes, size_t len)
{
    struct slice slice = {bytes, len};
    struct peer *peer = descriptor->peer;
    switch (descriptor->kind) {
    case KIND_EVENT:
        descriptor->count++;
        return (ssize_t) len;
    case KIND_PIPE:
        descriptor_append(descriptor_of(descriptor->other), bytes, len);
        return (ssize_t) len;
    case KIND_DATAGRAM:
        kernel_outside()->on_datagram(descriptor_number(descriptor), slice);
        return (ssize_t) len;
    case KIND_STREAM:
        break;
    default:
        return fail_with(ENOTCONN);
    }
    if (descriptor->reset || descriptor->shut) return fail_with(descriptor->shut ? EPIPE : descriptor->error);
    if (descriptor->blocked) return fail_with(EAGAIN);
    size_t cut = len > 1 ? script_byte() : 0;
    if (cut == 255) return fail_with(EAGAIN);
    if (len > 256) cut *= 64;
    if (cut && cut < len) slice.len = cut;
    kernel_trace("%d <- %.*s", descriptor_number(descriptor), slice.len < 200 ? (int) slice.len : 200,
                 (const char *) slice.data);
    if (peer) peer->kind->on_bytes(peer, slice);
    return (ssize_t) slice.len;
}

WRAP(ssize_t, write, int number, const void *bytes, size_t len)
{
    if (number == STDERR_FILENO && kernel_runs()) return write_log((struct slice){bytes, len});
    struct descriptor *descriptor = descriptor_of(number);
    return descriptor ? send_bytes(descriptor, bytes, len) : __real_write(number, bytes, len);
}

WRAP(ssize_t, send, int number, const void *bytes, size_t len, int flags)
{
    (void) flags;
    return __wrap_write(number, bytes, len);
}

WRAP(ssize_t, writev, int number, const struct iovec *pieces, int count)
{
    size_t len = 0, at = 0;
    if ((number != STDERR_FILENO || !kernel_runs()) && !descriptor_of(number))
        return __real_writev(number, pieces, count);
    for (int n = 0; n < count; n++) len += pieces[n].iov_len;
    char *bytes = malloc(len + 1);
    if (!bytes) return fail_with(ENOMEM);
    for (int n = 0; n < count; n++) {
        if (pieces[n].iov_len) memcpy(bytes + at, pieces[n].iov_base, pieces[n].iov_len);
        at += pieces[n].iov_len;
    }
    ssize_t written = __wrap_write(number, bytes, len);
    free(bytes);
    return written;
}

WRAP(ssize_t, sendmsg, int number, const struct msghdr *message, int flags)
{
    (void) flags;
    return __wrap_writev(number, message->msg_iov, (int) message->msg_iovlen);
}
