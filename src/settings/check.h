/*
 * Implements --config.check: validates a configuration file together with the flags, and describes the result
 * to the user.
 */
#ifndef SETTINGS_CHECK_H
#define SETTINGS_CHECK_H

#include "base/buffer.h"
#include "cli/options.h"

#include <stdbool.h>

/*
 * Reads the file that the flags name. Returns true if everything is valid; `text` then describes what would
 * be scraped and how. Otherwise `text` is one line with the error. Both end with a newline. Blocks.
 */
bool check_config(const struct options *flags, struct buffer *text);

#endif
