/*
 * The addresses that flags name, as a group of a configuration: what works by groups works without a file
 * too.
 */
#ifndef SETTINGS_FROM_FLAGS_H
#define SETTINGS_FROM_FLAGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

/*
 * Adds that group to a configuration that has no groups, and so says nothing of what is scraped. 0; UV_EINVAL
 * with a line in `error`, without a line end, that names flag, value and what was expected; UV_ENOMEM.
 */
int config_add_flags(struct config *config, const struct options *flags, struct buffer *error);

#endif
