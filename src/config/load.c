/* From the file's name to its bytes. */
#include "base/utf8.h"
#include "config/config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <uv.h>

/* All bytes up to one more than there may be, which shows that there are too many. */
static int read_bytes(int fd, struct buffer *text)
{
    for (;;) {
        size_t step = 64 * 1024;
        if (step > text->cap - text->len) step = text->cap - text->len;
        char *at = buffer_reserve(text, step);
        if (!at) return UV_ENOMEM;
        ssize_t len = step ? read(fd, at, step) : 0;
        if (len < 0 && errno == EINTR) continue;
        if (len < 0) return -errno;
        if (len == 0) return 0;
        text->len += (size_t) len;
    }
}

/* Anything else could be read only once, or never ends. Opening a pipe must not wait for its writer. */
static int open_regular(const char *file, const char **expected)
{
    struct stat status;
    int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return -errno;
    int result = fstat(fd, &status) < 0 ? -errno : 0;
    if (result == 0 && S_ISREG(status.st_mode)) return fd;
    if (result == 0) *expected = S_ISDIR(status.st_mode) ? "a file, not a directory" : "a regular file";
    close(fd);
    return result < 0 ? result : UV_EINVAL;
}

static int read_file(const char *file, struct buffer *text, const char **expected)
{
    int fd = open_regular(file, expected);
    if (fd < 0) return fd;
    int result = read_bytes(fd, text);
    close(fd);
    if (result == 0 && text->len > CONFIG_FILE_MAX) {
        *expected = "at most 16 MiB";
        result = UV_EINVAL;
    }
    return result;
}

static void tell(const char *file, int result, const char *expected, struct buffer *error)
{
    buffer_clear(error);
    utf8_append_escaped(error, slice_of(file));
    if (expected)
        buffer_printf(error, ": expected %s", expected);
    else
        buffer_printf(error, ": %s", strerror(-result));
}

int config_load(struct config *config, const char *file, const struct config_rules *rules,
                struct buffer *error)
{
    struct buffer text;
    const char *expected = NULL;
    *config = (struct config){0};
    buffer_init(&text, CONFIG_FILE_MAX + 1);
    int result = read_file(file, &text, &expected);
    if (result < 0)
        tell(file, result, expected, error);
    else
        result = config_read(config, file, buffer_slice(&text), rules, error);
    buffer_deinit(&text);
    return result;
}
