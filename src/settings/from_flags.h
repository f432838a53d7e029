/*
 * Makes a configuration of the flags alone: one group with the addresses that they name. So the rest of the
 * program needs no special case for running without a file.
 */
#ifndef SETTINGS_FROM_FLAGS_H
#define SETTINGS_FROM_FLAGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

/*
 * Adds that group to a configuration that has no groups. 0; UV_EINVAL with a line in `error`, without a line
 * end, that names flag, value and what was expected; UV_ENOMEM.
 */
int config_add_flags(struct config *config, const struct options *flags, struct buffer *error);

/*
 * Adds the target policy of the flags, where the file has none, with warnings about rules of --scrape.deny
 * that may not do what is meant. 0 or UV_ENOMEM.
 */
int config_add_policy(struct config *config, const struct options *flags);

#endif
