/*
 * Log lines for people and machines: logfmt or JSON, on stderr.
 *
 *     time=2026-11-21T13:17:10.123Z level=WARN msg="target is down" target=a:11211 err="connection refused"
 *
 * Level, format and descriptor are set once at the start, for the whole program. Values may contain any
 * bytes: they are quoted, escaped, made valid UTF-8 and cut at 1,024 bytes.
 *
 * Writing never blocks. If the pipe, terminal or socket is full because nobody reads it, the line is lost.
 * The next line that can be written is preceded by a line with the number of lost lines. Only one thread may
 * log.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
enum log_format { LOG_LOGFMT, LOG_JSON };

/* A key and its value. The key is a plain word. */
struct log_field {
    const char *key;
    struct slice value;
};

#define LOG_FIELD(key, string) ((struct log_field){key, slice_of(string)})

/*
 * Sets level, format and descriptor. Defaults before this call: info, logfmt, stderr (descriptor 2). The
 * descriptor is borrowed. Its flags stay unchanged, since other processes may share them.
 */
void log_configure(enum log_level level, enum log_format format, int descriptor);

bool log_enabled(enum log_level level);

void log_write(enum log_level level, const char *message, const struct log_field *fields, size_t count);

/*
 * Logs a line with fields: log_line(LOG_INFO, "Listening on", LOG_FIELD("address", text)). For a line without
 * fields use log_write.
 */
#define log_line(level, message, ...)                                                                        \
    log_write(level, message, (struct log_field[]){__VA_ARGS__},                                             \
              sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field))

/* Limits a message to one line a minute. For messages that anyone on the network can cause. */
struct log_limit {
    uint64_t next_ns; /* earliest time of the next line, CLOCK_MONOTONIC; 0 before the first line */
    uint64_t held;    /* lines suppressed since the last written line */
};

#define LOG_LIMIT_NS 60000000000u

/*
 * Like log_write, but within the limit. The next line that is written reports the number of suppressed lines
 * in the field "repeated".
 */
void log_write_limited(struct log_limit *limit, enum log_level level, const char *message,
                       const struct log_field *fields, size_t count);

/* Like log_line, but for errors that clients cause. Each call site has its own rate limit. */
#define log_line_limited(level, message, ...)                                                                \
    do {                                                                                                     \
        static struct log_limit limit_of_this_line;                                                          \
        log_write_limited(&limit_of_this_line, level, message, (struct log_field[]){__VA_ARGS__},            \
                          sizeof((struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field));             \
    } while (0)

/*
 * Writes "PROGRAM_NAME: what: why" without time or level, at every log level; for the reason of a failed
 * start. `what` may be "". Never blocks, like log_write.
 */
void log_plain(const char *what, const char *why);

/* Returns how many lines were lost since the start. */
uint64_t log_lost(void);

#endif
