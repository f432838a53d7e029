/*
 * --config.check: validates a configuration file together with the flags, and describes the result for
 * people.
 */
#ifndef SETTINGS_CHECK_H
#define SETTINGS_CHECK_H

#include "base/buffer.h"
#include "cli/options.h"

#include <stdbool.h>

/*
 * Reads the file that the flags name. True, and `text` says what would be scraped and how; or false, and it
 * has one line that says what is wrong. Both end with a newline. Blocks.
 */
bool check_config(const struct options *flags, struct buffer *text);

#endif
