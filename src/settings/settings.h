/*
 * The effective options: the flags, with the values of the configuration file laid over them. The start, a
 * reload and --config.check all use these functions. So they accept the same files, and reject all others
 * with the same message.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

#include <stdbool.h>

struct settings {
    /* Borrowed from the flags and the file. The addresses are empty when the file has groups; timeout and
     * collectors are those of the module `default`. Not for options_deinit. */
    struct options options;
};

/* What config_read has to know of the flags; borrows from them. */
struct config_rules settings_rules(const struct options *flags);

/*
 * Reads the configuration that the flags name: their file, with the group of --memcached.address if the file
 * has no groups, or that group alone if there is no file. 0; or a negative libuv code with one line in
 * `error`, without a line end, unless it is UV_ENOMEM. config_deinit follows in any case. Blocks. The flags
 * are borrowed for as long as the configuration lives.
 */
int settings_read(struct config *config, const struct options *flags, struct buffer *error);

/*
 * The effective options of a configuration that settings_read has read. 0; UV_EINVAL if its outputs are
 * invalid, or the code of a file of theirs that cannot be read, both with one line in `error`, without a line
 * end. Owns nothing.
 */
int settings_make(struct settings *settings, const struct options *flags, const struct config *config,
                  struct buffer *error);

/* Whether both have the same outputs (textfile, push), so that those need not be started anew. */
bool settings_same_outputs(const struct settings *a, const struct settings *b);

/* One line for each flag that was given (its value differs from the default) although the file says something
 * else; for the log. */
void settings_append_overruled(const struct settings *settings, const struct options *flags,
                               struct buffer *out);

#endif
