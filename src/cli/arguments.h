/*
 * The command line with its @FILE arguments expanded, as kingpin does for the official exporter: each line of
 * the file stands for one argument, lines that begin with '#' and empty ones for none. Behind "--" nothing is
 * expanded.
 */
#ifndef CLI_ARGUMENTS_H
#define CLI_ARGUMENTS_H

#include "base/buffer.h"

#include <stddef.h>

struct arguments {
    char **items; /* owned, as are the strings; NULL behind the last */
    size_t count;
};

/*
 * `argv` ends with NULL and has no program's name. 0; or a negative libuv code, and `error` gets "@FILE: "
 * and the reason, without a line end, but for UV_ENOMEM. arguments_deinit follows in any case.
 */
int arguments_expand(struct arguments *arguments, char *const *argv, struct buffer *error);

void arguments_deinit(struct arguments *arguments);

#endif
