#include "base/log.h"

#include "base/buffer.h"
#include "base/utf8.h"
#include "base/version.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_VALUE 1024

/* Most bytes of the part of a line that the output has not accepted yet. Enough for the longest line. */
#define LONGEST_REST (1024 * 1024)

/* How writing to the descriptor avoids blocking. */
enum output_kind {
    OUTPUT_PLAIN,  /* a file, or reopened with O_NONBLOCK: write does not block */
    OUTPUT_SOCKET, /* a socket: send has a flag not to block */
    OUTPUT_POLLED, /* could not be reopened: poll before each write */
};

static struct {
    enum log_level level;
    enum log_format format;
    int descriptor; /* borrowed */
    int reopened;   /* the same pipe or terminal, reopened; owned; or -1 */
    enum output_kind kind;
    struct buffer rest; /* unwritten end of the last line; written before the next line */
    uint64_t lost;      /* lines lost since the start */
    uint64_t unsaid;    /* lost lines that no warning has reported yet */
} output = {LOG_INFO, LOG_LOGFMT, STDERR_FILENO, -1, OUTPUT_POLLED, {.cap = LONGEST_REST}, 0, 0};

/* The spelling of Go's log/slog, which the official exporter uses. */
static const char *const level_names[] = {"DEBUG", "INFO", "WARN", "ERROR"};

/* --- The output --- */

/*
 * Sets up writing without blocking. O_NONBLOCK is a property of the open file, which this process may share
 * with its parent. So a pipe or terminal is opened a second time. That fails if the pipe belongs to another
 * user.
 */
static void open_anew(int descriptor)
{
    char path[64];
    struct stat status;
    if (output.reopened >= 0) close(output.reopened);
    output.reopened = -1;
    output.kind = OUTPUT_PLAIN;
    if (fstat(descriptor, &status) < 0 || S_ISREG(status.st_mode)) return;
    if (S_ISSOCK(status.st_mode)) {
        output.kind = OUTPUT_SOCKET;
        return;
    }
    snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
    output.reopened = open(path, O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (output.reopened < 0) output.kind = OUTPUT_POLLED;
}

void log_configure(enum log_level level, enum log_format format, int descriptor)
{
    output.level = level;
    output.format = format;
    output.descriptor = descriptor;
    buffer_clear(&output.rest);
    open_anew(descriptor);
}

/*
 * Writes at most PIPE_BUF bytes: a pipe that poll reports as ready accepts that many without blocking, unless
 * another process fills it first.
 */
static ssize_t write_polled(struct slice bytes)
{
    struct pollfd ready = {.fd = output.descriptor, .events = POLLOUT};
    if (poll(&ready, 1, 0) <= 0) return -1;
    return write(output.descriptor, bytes.data, bytes.len < PIPE_BUF ? bytes.len : PIPE_BUF);
}

static ssize_t write_part(struct slice bytes)
{
    switch (output.kind) {
    case OUTPUT_SOCKET:
        return send(output.descriptor, bytes.data, bytes.len, MSG_DONTWAIT | MSG_NOSIGNAL);
    case OUTPUT_POLLED:
        return write_polled(bytes);
    case OUTPUT_PLAIN:
        break;
    }
    return write(output.reopened >= 0 ? output.reopened : output.descriptor, bytes.data, bytes.len);
}

/* Returns the bytes that the output did not accept. */
static struct slice write_all(struct slice bytes)
{
    while (bytes.len) {
        ssize_t n = write_part(bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        bytes = slice_from(bytes, (size_t) n);
    }
    return bytes;
}

static void write_rest(void)
{
    struct slice rest = write_all(buffer_slice(&output.rest));
    size_t written = output.rest.len - rest.len;
    if (written) memmove(output.rest.data, output.rest.data + written, rest.len);
    output.rest.len = rest.len;
}

/* Returns false if the line is lost. First finishes the previous line, if only a part of it was written. */
static bool write_line(struct slice line)
{
    write_rest();
    struct slice rest = output.rest.len ? line : write_all(line);
    if (rest.len == line.len && line.len) return false;
    buffer_append_slice(&output.rest, rest);
    return true;
}

static void count_lost(void)
{
    output.lost++;
    output.unsaid++;
}

uint64_t log_lost(void)
{
    return output.lost;
}

void log_plain(const char *what, const char *why)
{
    struct buffer line;
    buffer_init(&line, LONGEST_REST);
    buffer_printf(&line, PROGRAM_NAME ": %s%s%s\n", what, *what ? ": " : "", why);
    if (line.failed || !write_line(buffer_slice(&line))) count_lost();
    buffer_deinit(&line);
}

/* --- Lines --- */

bool log_enabled(enum log_level level)
{
    return level >= output.level;
}

static bool needs_quotes(struct slice value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char) value.data[i];
        if (c <= ' ' || c >= 0x7f || c == '=' || c == '"' || c == '\\') return true;
    }
    return value.len == 0;
}

static void append_field(struct buffer *line, const char *key, struct slice value)
{
    bool json = output.format == LOG_JSON;
    if (value.len > LONGEST_VALUE) value.len = LONGEST_VALUE;
    if (line->len > 1) buffer_append_char(line, json ? ',' : ' ');
    buffer_printf(line, json ? "\"%s\":" : "%s=", key);
    if (json || needs_quotes(value)) {
        buffer_append_char(line, '"');
        utf8_append_escaped(line, value);
        buffer_append_char(line, '"');
    } else {
        buffer_append_slice(line, value);
    }
}

static void append_time(struct buffer *line)
{
    struct timespec now;
    struct tm utc;
    char text[sizeof("2026-11-21T13:17:10.123Z") + 40];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(text + len, sizeof(text) - len, ".%03ldZ", now.tv_nsec / 1000000);
    append_field(line, "time", slice_of(text));
}

static void format_line(struct buffer *line, enum log_level level, const char *message,
                        const struct log_field *fields, size_t count)
{
    /*
     * Room for the worst case: every byte escaped, in all `count` fields and the three fields of every line.
     */
    buffer_init(line, (count + 3) * 8 * LONGEST_VALUE);
    if (output.format == LOG_JSON) buffer_append_char(line, '{');
    append_time(line);
    append_field(line, "level", slice_of(level_names[level]));
    append_field(line, "msg", slice_of(message));
    for (size_t i = 0; i < count; i++) append_field(line, fields[i].key, fields[i].value);
    buffer_append_string(line, output.format == LOG_JSON ? "}\n" : "\n");
}

/* Logs how many lines were lost, if any. Returns false if that warning cannot be written either. */
static bool tell_of_lost_lines(void)
{
    struct buffer line;
    char number[32];
    if (output.unsaid == 0) return true;
    snprintf(number, sizeof(number), "%llu", (unsigned long long) output.unsaid);
    struct log_field field = LOG_FIELD("lines", number);
    format_line(&line, LOG_WARN, "log lines were lost, nobody read them in time", &field, 1);
    bool told = !line.failed && write_line(buffer_slice(&line));
    buffer_deinit(&line);
    if (told) output.unsaid = 0;
    return told;
}

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    struct buffer line;
    if (!log_enabled(level)) return;
    format_line(&line, level, message, fields, count);
    if (line.failed || !tell_of_lost_lines() || !write_line(buffer_slice(&line))) count_lost();
    buffer_deinit(&line);
}

void log_write_limited(struct log_limit *limit, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count)
{
    struct log_field all[8];
    struct timespec now;
    char number[32];
    if (!log_enabled(level)) return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    uint64_t now_ns = (uint64_t) now.tv_sec * 1000000000u + (uint64_t) now.tv_nsec;
    if (now_ns < limit->next_ns) {
        limit->held++;
        return;
    }
    if (count > 7) count = 7;
    if (count) memcpy(all, fields, count * sizeof(*fields));
    if (limit->held) {
        snprintf(number, sizeof(number), "%llu", (unsigned long long) limit->held);
        all[count++] = LOG_FIELD("repeated", number);
    }
    *limit = (struct log_limit){.next_ns = now_ns + LOG_LIMIT_NS};
    log_write(level, message, all, count);
}
