/*
 * The flags with what the configuration file says instead: what is in force. It knows no loop; what it asks
 * of the system is whether the files that a push needs can be read.
 */
#ifndef SETTINGS_SETTINGS_H
#define SETTINGS_SETTINGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

#include <stdbool.h>

struct settings {
    /* Strings are borrowed from the flags and the file, but those of `grouping`. The addresses are empty when
     * the file has groups; timeout and collectors are those of the module `default`. */
    struct options options;
    struct string_list grouping;
};

/* What config_read has to know of the flags; borrows from them. */
struct config_rules settings_rules(const struct options *flags);

/*
 * Flags and file are borrowed for as long as the settings live. 0; or UV_EINVAL with one line in `error`,
 * without a line end, where the outputs that come about are not fit to be started, or, with a line too, the
 * error of a file that they need; or UV_ENOMEM. settings_deinit follows in any case. Without `config` they
 * are the flags as they are.
 */
int settings_make(struct settings *settings, const struct options *flags, const struct config *config,
                  struct buffer *error);

/* Whether the flags by themselves can be in force: what settings_make returns of them. */
int settings_check(const struct options *flags, struct buffer *error);

void settings_deinit(struct settings *settings);

/* Whether both have the same outputs (textfile, push), so that those need not be started anew. */
bool settings_same_outputs(const struct settings *a, const struct settings *b);

/* One line for each flag that was given (its value differs from the default) although the file says something
 * else; for the log. */
void settings_append_overruled(const struct settings *settings, const struct options *flags,
                               struct buffer *out);

#endif
