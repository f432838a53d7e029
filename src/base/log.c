#include "base/log.h"

#include "base/buffer.h"
#include "base/utf8.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LONGEST_VALUE 1024

static struct {
    enum log_level level;
    enum log_format format;
    int descriptor;
} settings = {LOG_INFO, LOG_LOGFMT, STDERR_FILENO};

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_configure(enum log_level level, enum log_format format, int descriptor)
{
    settings.level = level;
    settings.format = format;
    settings.descriptor = descriptor;
}

bool log_enabled(enum log_level level)
{
    return level >= settings.level;
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
    bool json = settings.format == LOG_JSON;
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

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count)
{
    struct buffer line;
    if (!log_enabled(level)) return;
    /* Room for the worst of each field, where every byte is escaped, and for the three that are always there.
     */
    buffer_init(&line, (count + 3) * 8 * LONGEST_VALUE);
    if (settings.format == LOG_JSON) buffer_append_char(&line, '{');
    append_time(&line);
    append_field(&line, "level", slice_of(level_names[level]));
    append_field(&line, "msg", slice_of(message));
    for (size_t i = 0; i < count; i++) append_field(&line, fields[i].key, fields[i].value);
    buffer_append_string(&line, settings.format == LOG_JSON ? "}\n" : "\n");
    /* Nobody is left to tell when the log itself cannot be written. */
    if (!line.failed && write(settings.descriptor, line.data, line.len) < 0) (void) 0;
    buffer_deinit(&line);
}
