/*
 * Makes the effective options: the flags, overridden by the values of the configuration file. The start, a
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
    /*
     * Borrows from the flags and the file; do not call options_deinit. The addresses are empty if the file
     * has groups. Timeout and collectors are those of the module `default`.
     */
    struct options options;
    struct watch_config watch; /* those of the file, as far as the commands let servers be watched */
    struct census_config census;
};

/* Returns what config_read needs from the flags. Borrows from `flags`. */
struct config_rules settings_rules(const struct options *flags);

/*
 * Reads the configuration that the flags name. If there is no file, or the file has no groups, the
 * configuration has the group of --memcached.address. Returns 0 or a negative libuv code. Unless that code is
 * UV_ENOMEM, `error` then has one line without a line end. Call config_deinit in every case. Blocks. The
 * configuration borrows from `flags`.
 */
int settings_read(struct config *config, const struct options *flags, struct buffer *error);

/*
 * Makes the effective options from a configuration that settings_read has read. Returns 0, UV_EINVAL if the
 * outputs are invalid, or the code of a file of an output that cannot be read. After an error, `error` has
 * one line without a line end. `settings` owns nothing.
 */
int settings_make(struct settings *settings, const struct options *flags, const struct config *config,
                  struct buffer *error);

/* Returns true if both have the same outputs (textfile, push), so that the outputs need not be restarted. */
bool settings_same_outputs(const struct settings *a, const struct settings *b);

/*
 * Appends one line, for the log, for each flag that was given but that the file overrides. A flag counts as
 * given if its value differs from the default.
 */
void settings_append_overruled(const struct settings *settings, const struct options *flags,
                               struct buffer *out);

/*
 * Appends one line, such as "--push.job: nothing is pushed without --push.url", for each flag that was given
 * but has no effect.
 */
void settings_append_idle(const struct settings *settings, const struct options *flags, struct buffer *out);

#endif
