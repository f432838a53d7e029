#include "base/read_file.h"

#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

#define STEP (64 * 1024)
#define MIB  ((size_t) 1024 * 1024)

static int open_regular(const char *path, const char **expected)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -errno;
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0 && S_ISREG(status.st_mode)) return fd;
    if (result == 0) *expected = S_ISDIR(status.st_mode) ? "a file, not a directory" : "a regular file";
    close(fd);
    return result < 0 ? result : UV_EINVAL;
}

/*
 * Reads up to one byte more than `most`. That extra byte shows that the file is too large. The buffer grows
 * only when it is full, so that a file that fits in one step leaves no copy behind: it may be a secret.
 */
static int read_bytes(int fd, size_t most, struct buffer *text)
{
    for (size_t count = 0; count <= most;) {
        size_t room = text->size - text->len, left = most + 1 - count;
        size_t step = room ? room : STEP;
        if (step > left) step = left;
        char *at = buffer_reserve(text, step);
        if (!at) return UV_ENOMEM;
        ssize_t len = read(fd, at, step);
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) return -errno;
        if (len == 0) return 0;
        text->len += (size_t) len;
        count += (size_t) len;
    }
    return UV_EFBIG;
}

int read_file(const char *path, size_t most, struct buffer *text, struct buffer *error)
{
    const char *expected = NULL;
    int fd = open_regular(path, &expected);
    int result = fd < 0 ? fd : read_bytes(fd, most, text);
    if (fd >= 0) close(fd);
    if (result == 0) return 0;
    utf8_append_escaped(error, slice_of(path));
    if (expected)
        buffer_printf(error, ": expected %s", expected);
    else if (result == UV_EFBIG && most % MIB == 0)
        buffer_printf(error, ": expected at most %zu MiB", most / MIB);
    else if (result == UV_EFBIG)
        buffer_printf(error, ": expected at most %zu bytes", most);
    else
        buffer_printf(error, ": %s", strerror(-result));
    return result == UV_EFBIG ? UV_EINVAL : result;
}
