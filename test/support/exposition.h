/* Finds lines in an exposition. Include this header after <cmocka.h>. */
#ifndef SUPPORT_EXPOSITION_H
#define SUPPORT_EXPOSITION_H

#include "metrics/collector.h"

#include <stdlib.h>
#include <string.h>

#define EXPOSITION_MAX (1 << 22)

/* Returns the whole exposition of `count` walks as a string. The caller frees it. */
static inline char *exposition_text(enum format format, struct walk *const *walks, size_t count)
{
    struct exposition exposition;
    struct buffer out;
    buffer_init(&out, EXPOSITION_MAX);
    exposition_init(&exposition, format, SLICE(""));
    for (size_t n = 0; n < count; n++) exposition_add(&exposition, walks[n]);
    assert_false(exposition_fill(&exposition, &out, EXPOSITION_MAX));
    buffer_append_char(&out, '\0');
    assert_false(out.failed);
    return out.data;
}

/* Returns the first line that begins with `start`, without its line end. The data is NULL if no line does. */
static inline struct slice exposition_line(const char *text, const char *start)
{
    for (struct slice rest = slice_of(text); rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        if (slice_starts(line, start)) return line;
    }
    return (struct slice){NULL, 0};
}

/* Returns the number of lines that begin with `start`. */
static inline size_t exposition_count(const char *text, const char *start)
{
    size_t count = 0;
    for (struct slice rest = slice_of(text); rest.len;) count += slice_starts(slice_cut(&rest, '\n'), start);
    return count;
}

static inline void expect_line(const char *text, const char *line)
{
    for (struct slice rest = slice_of(text); rest.len;) {
        if (slice_is(slice_cut(&rest, '\n'), line)) return;
    }
    fail_msg("no line %s in:\n%s", line, text);
}

/* Returns the value of a sample. `series` is its name, with its labels in braces. */
static inline double value_of(const char *text, const char *series)
{
    size_t len = strlen(series);
    struct slice line = exposition_line(text, series);
    if (!line.data || line.data[len] != ' ') fail_msg("no sample %s in:\n%s", series, text);
    return strtod(line.data + len, NULL);
}

/* Checks that all families in the text belong to the collector and are in its order. Returns their number. */
static inline size_t expect_families_of(const char *text, const struct collector *collector)
{
    size_t n = 0, seen = 0;
    for (struct slice rest = slice_of(text); rest.len;) {
        struct slice line = slice_cut(&rest, '\n');
        if (!slice_starts(line, "# HELP ")) continue;
        line = slice_from(line, strlen("# HELP "));
        struct slice name = slice_cut(&line, ' ');
        while (n < collector->count && !slice_is(name, collector->families[n]->name)) n++;
        if (n == collector->count) fail_msg("%.*s is no family, or not in its place", SLICE_ARG(name));
        seen++;
    }
    return seen;
}

#endif
