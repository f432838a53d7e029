/*
 * Makes a configuration from the flags alone: one group with the addresses of --memcached.address. So the
 * rest of the program needs no special case when there is no configuration file.
 */
#ifndef SETTINGS_FROM_FLAGS_H
#define SETTINGS_FROM_FLAGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

/*
 * Adds that group to a configuration without groups. Returns 0, UV_EINVAL or UV_ENOMEM. After UV_EINVAL,
 * `error` has a line without a line end, with the flag, its value and what was expected.
 */
int config_add_flags(struct config *config, const struct options *flags, struct buffer *error);

/*
 * Adds the target policy of the flags, unless the file has one. Also adds warnings about rules of
 * --scrape.deny that may not deny what is meant. Returns 0 or UV_ENOMEM.
 */
int config_add_policy(struct config *config, const struct options *flags);

#endif
