#include "cli/arguments.h"

#include "base/array.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

/*
 * Limits. DEEPEST is the nesting depth of files: a file may name another file, but a file that names itself
 * is an error.
 */
#define DEEPEST      8
#define MOST         200000
#define LONGEST_LINE 65536

/* Most bytes of a value that an error quotes. */
#define LONGEST_QUOTE 200

static int reject_file(const char *file, const char *why, int result, struct buffer *error)
{
    buffer_append_char(error, '@');
    utf8_append_escaped(error, slice_of(file));
    buffer_printf(error, ": %s", why);
    return result;
}

static int reject_line(const char *file, size_t number, const char *expected, struct buffer *error)
{
    buffer_append_char(error, '@');
    utf8_append_escaped(error, slice_of(file));
    buffer_printf(error, ":%zu: expected %s", number, expected);
    return UV_EINVAL;
}

/* Returns what is wrong with a line of `len` bytes, or NULL. `count` arguments were read before. */
static const char *line_fault(const char *line, size_t len, size_t count)
{
    if (strlen(line) != len) return "text without NUL bytes";
    if (len > LONGEST_LINE) return "at most 65536 bytes in a line";
    return count >= MOST ? "at most 200000 arguments" : NULL;
}

/* Appends an argument, and the NULL after it. */
static int add_argument(struct arguments *arguments, const char *text)
{
    char *copy = strdup(text);
    if (!copy || !array_reserve(&arguments->items, arguments->count + 1, &arguments->size, 16, SIZE_MAX)) {
        free(copy);
        return UV_ENOMEM;
    }
    arguments->items[arguments->count++] = copy;
    arguments->items[arguments->count] = NULL;
    return 0;
}

static int add_file(struct arguments *arguments, const char *file, unsigned depth, struct buffer *error);

static int add_expanded(struct arguments *arguments, const char *text, unsigned depth, struct buffer *error)
{
    return text[0] == '@' && text[1] ? add_file(arguments, text + 1, depth, error)
                                     : add_argument(arguments, text);
}

static int add_lines(struct arguments *arguments, FILE *lines, const char *file, unsigned depth,
                     struct buffer *error)
{
    char *line = NULL;
    size_t size = 0, number = 0;
    int result = 0;
    for (ssize_t len; result == 0 && (len = getline(&line, &size, lines)) >= 0;) {
        while (len > 0 && (line[len - 1] == '\n' || line[len - 1] == '\r')) line[--len] = '\0';
        const char *expected = line_fault(line, (size_t) len, arguments->count);
        number++;
        if (expected)
            result = reject_line(file, number, expected, error);
        else if (len > 0 && line[0] != '#')
            result = add_expanded(arguments, line, depth, error);
    }
    if (result == 0 && ferror(lines)) {
        result = uv_translate_sys_error(errno);
        reject_file(file, uv_strerror(result), result, error);
    }
    free(line);
    return result;
}

static int add_file(struct arguments *arguments, const char *file, unsigned depth, struct buffer *error)
{
    if (depth == DEEPEST) return reject_file(file, "expected no file that names itself", UV_EINVAL, error);
    FILE *lines = fopen(file, "re");
    if (!lines) {
        int result = uv_translate_sys_error(errno);
        return reject_file(file, uv_strerror(result), result, error);
    }
    int result = add_lines(arguments, lines, file, depth + 1, error);
    fclose(lines);
    return result;
}

int arguments_expand(struct arguments *arguments, char *const *argv, struct buffer *error)
{
    int result = 0;
    bool flags_ended = false;
    *arguments = (struct arguments){0};
    if (array_reserve(&arguments->items, 0, &arguments->size, 16, SIZE_MAX))
        arguments->items[0] = NULL;
    else
        result = UV_ENOMEM;
    for (; *argv && result == 0; argv++) {
        flags_ended |= strcmp(*argv, "--") == 0;
        result = flags_ended ? add_argument(arguments, *argv) : add_expanded(arguments, *argv, 0, error);
    }
    return result;
}

void arguments_deinit(struct arguments *arguments)
{
    for (size_t n = 0; n < arguments->count; n++) free(arguments->items[n]);
    free(arguments->items);
    *arguments = (struct arguments){0};
}

void arguments_append_visible(struct buffer *text, struct slice value)
{
    bool cut = value.len > LONGEST_QUOTE;
    if (cut) value.len = LONGEST_QUOTE;
    while (value.len) {
        size_t len = utf8_sequence(value);
        unsigned char c = (unsigned char) value.data[0];
        if (c == '"' || c == '\\')
            buffer_printf(text, "\\%c", c);
        else if (c == '\n')
            buffer_append_string(text, "\\n");
        else if (len == 0 || c < ' ' || c == 0x7f)
            buffer_printf(text, "\\x%02x", c);
        else
            buffer_append(text, value.data, len);
        value = slice_from(value, len ? len : 1);
    }
    if (cut) buffer_append_string(text, "...");
}
