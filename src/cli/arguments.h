/*
 * Expands @FILE arguments on the command line, as kingpin does for the official exporter. Each line of the
 * file becomes one argument. Empty lines and lines that begin with '#' are skipped. Arguments after "--" are
 * not expanded.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stddef.h>

struct arguments {
    char **items; /* owned array of owned strings, ends with NULL */
    size_t count, size;
};

/*
 * Expands `argv`, which ends with NULL and does not contain the program's name. Returns 0 or a negative libuv
 * code. Unless that code is UV_ENOMEM, "@FILE: " and the reason are appended to `error`, without a line end.
 * Call arguments_deinit in every case.
 */
int arguments_expand(struct arguments *arguments, char *const *argv, struct buffer *error);

void arguments_deinit(struct arguments *arguments);

/*
 * Appends a value for an error message, cut if it is long. Escapes line ends and control characters, so that
 * an error stays one line and cannot control the terminal.
 */
void arguments_append_visible(struct buffer *text, struct slice value);

#endif
