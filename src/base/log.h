/*
 * Log lines for people and machines: logfmt or JSON, on stderr.
 *
 *     time=2026-11-21T13:17:10.123Z level=warn msg="target is down" target=cache-1:11211 err="connection
 * refused"
 *
 * The one piece of global state in the program: its level and format are set once
 * at start. Each line leaves in a single write. Values may hold any bytes; they are
 * quoted, escaped, made valid UTF-8 and cut at 1,024 bytes.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* A key and its value; the key is a plain word. */
struct log_field {
    const char *key;
    struct slice value;
};

#define LOG_FIELD(key, string) ((struct log_field){key, slice_of(string)})

/* Before this call: info, logfmt, stderr (descriptor 2). */
void log_configure(enum log_level level, enum log_format format, int descriptor);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* log_line(LOG_INFO, "listening", LOG_FIELD("address", text)); a line has at least one field. */
#define log_line(level, message, ...)                                                                        \
    log_write(level, message, (struct log_field[]){__VA_ARGS__},                                             \
              sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

#endif
