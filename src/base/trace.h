/*
 * What happened while one thing was done, for a person who looks into it: lines of text with the time of
 * each. Bounded: further lines are left out and counted. Functions that may be watched take a trace, which is
 * NULL when nobody watches; that costs one comparison.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stdint.h>

/* Most bytes of a trace, and of one piece of bytes in it. A piece may take six times as much when escaped. */
#define TRACE_MAX       ((size_t) 16 * 1024)
#define TRACE_PIECE_MAX ((size_t) 1024)

struct trace;

/* Creates a trace whose clock starts now. Returns NULL when out of memory. */
struct trace *trace_new(void);

/* NULL is allowed. */
void trace_free(struct trace *trace);

/* Appends a line with the time since the start. Bytes from outside must be escaped by the caller. */
void trace_append(struct trace *trace, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Appends a line with the number of bytes, and below it their lines, escaped, each behind `mark`. Only the
 * first TRACE_PIECE_MAX bytes are shown.
 */
void trace_append_bytes(struct trace *trace, const char *what, const char *mark, struct slice bytes);

/* Does nothing, and evaluates no argument, if nobody watches. */
#define trace_note(trace, ...)                                                                               \
    do {                                                                                                     \
        if (trace) trace_append(trace, __VA_ARGS__);                                                         \
    } while (0)

/* Returns the text; it is valid until the next line is appended. NULL is allowed and gives an empty text. */
struct slice trace_text(const struct trace *trace);

/* Returns how many lines were left out. */
unsigned trace_left_out(const struct trace *trace);

#endif
