/*
 * The addresses that flags name, as a configuration of one group: without a file, everything else works as
 * with one.
 */
#ifndef SETTINGS_FROM_FLAGS_H
#define SETTINGS_FROM_FLAGS_H

#include "base/buffer.h"
#include "cli/options.h"
#include "config/config.h"

/*
 * Its file is NULL. 0; UV_EINVAL with a line in `error`, without a line end, that names flag, value and what
 * was expected; UV_ENOMEM. config_deinit follows in any case.
 */
int config_of_flags(struct config *config, const struct options *flags, struct buffer *error);

/* Adds that group to a file that has no groups, and so says nothing of what is scraped. As above. */
int config_add_flags(struct config *config, const struct options *flags, struct buffer *error);

#endif
