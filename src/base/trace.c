#include "base/trace.h"

#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <uv.h>

/* Longest line of trace_append. A longer one is cut. */
#define TRACE_LINE_MAX 1024

struct trace {
    uint64_t started_ns;
    struct buffer text;
    unsigned left_out;
};

struct trace *trace_new(void)
{
    struct trace *trace = calloc(1, sizeof(*trace));
    if (!trace) return NULL;
    trace->started_ns = uv_hrtime();
    buffer_init(&trace->text, TRACE_MAX + TRACE_LINE_MAX + 8 * TRACE_PIECE_MAX);
    return trace;
}

void trace_free(struct trace *trace)
{
    if (!trace) return;
    buffer_deinit(&trace->text);
    free(trace);
}

/* Appends the time. Returns false if the line must be left out: the trace is full, or there is no memory. */
static bool begin_line(struct trace *trace)
{
    if (trace->text.len >= TRACE_MAX || trace->text.failed) {
        trace->left_out++;
        return false;
    }
    buffer_printf(&trace->text, "%12.3f ms  ", (double) (uv_hrtime() - trace->started_ns) / 1e6);
    return true;
}

void trace_append(struct trace *trace, const char *format, ...)
{
    char line[TRACE_LINE_MAX];
    va_list arguments;
    if (!begin_line(trace)) return;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    buffer_append_string(&trace->text, line);
    buffer_append_char(&trace->text, '\n');
}

void trace_append_bytes(struct trace *trace, const char *what, const char *mark, struct slice bytes)
{
    struct slice rest = bytes;
    if (!begin_line(trace)) return;
    buffer_printf(&trace->text, "%s %zu bytes\n", what, bytes.len);
    if (rest.len > TRACE_PIECE_MAX) rest.len = TRACE_PIECE_MAX;
    while (rest.len) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.len && line.data[line.len - 1] == '\r') line.len--;
        buffer_printf(&trace->text, "%15s %s ", "", mark);
        utf8_append_escaped(&trace->text, line);
        buffer_append_char(&trace->text, '\n');
    }
    if (bytes.len > TRACE_PIECE_MAX)
        buffer_printf(&trace->text, "%15s %s ... and %zu bytes more\n", "", mark,
                      bytes.len - TRACE_PIECE_MAX);
}

struct slice trace_text(const struct trace *trace)
{
    return trace ? buffer_slice(&trace->text) : SLICE("");
}

unsigned trace_left_out(const struct trace *trace)
{
    return trace ? trace->left_out : 0;
}
