/*
 * Log lines for people and machines: logfmt or JSON, on stderr.
 *
 *     time=2026-11-21T13:17:10.123Z level=WARN msg="target is down" target=a:11211 err="connection refused"
 *
 * Level, format and descriptor are set once at the start and hold for the whole program. Values may hold any
 * bytes: they are quoted, escaped, made valid UTF-8 and cut at 1,024 bytes.
 *
 * Writing never waits. When nobody reads the pipe, terminal or socket and it is full, the line is lost. The
 * next line that can be written is preceded by one that says how many were lost. For one thread.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* A key and its value; the key is a plain word. */
struct log_field {
    const char *key;
    struct slice value;
};

#define LOG_FIELD(key, string) ((struct log_field){key, slice_of(string)})

/*
 * Before this call: info, logfmt, stderr (descriptor 2). The descriptor is borrowed; its flags, which other
 * processes may share, stay as they are.
 */
void log_configure(enum log_level level, enum log_format format, int descriptor);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/* log_line(LOG_INFO, "Listening on", LOG_FIELD("address", text)); without fields use log_write. */
#define log_line(level, message, ...)                                                                        \
    log_write(level, message, (struct log_field[]){__VA_ARGS__},                                             \
              sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Limits a message that anybody on the network can cause to one line a minute. */
struct log_limit {
    uint64_t next_ns; /* CLOCK_MONOTONIC; 0 before the first line */
    uint64_t held;    /* lines that were not written since the last one */
};

#define LOG_LIMIT_NS 60000000000u

/*
 * As log_write, within the limit. The next line that is written has the number of suppressed lines in the
 * field "repeated".
 */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count);

/* For mistakes of clients: as log_line, with a limit of its own at each place where it is used. */
#define log_line_limited(level, message, ...)                                                                \
    do {                                                                                                     \
        static struct log_limit limit_of_this_line;                                                          \
        log_write_limited(&limit_of_this_line, level, message, (struct log_field[]){__VA_ARGS__},            \
                          sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field));             \
    } while (0)

/* Writes a text as it is, not as a log line, at every level. Never waits, like log_write. */
void log_plain(const char *text);

/* How many lines were lost since the start. */
uint64_t log_lost(void);

#endif
