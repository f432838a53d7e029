/* Divides the limit of open files between HTTP clients and memcached connections. */
#ifndef SETTINGS_DESCRIPTORS_H
#define SETTINGS_DESCRIPTORS_H

#include "cli/options.h"

#include <stddef.h>

/*
 * Opens /dev/null in place of standard input, output and error if they are closed. Otherwise the first files
 * that the program opens would get these numbers, and messages would be written into those files. Call it
 * before everything else.
 */
void descriptors_hold_standard(void);

/* Raises the soft limit of open files to the hard limit. */
void descriptors_raise(void);

/*
 * Logs a warning, once, if the limit is too low for `targets` targets and all HTTP clients that the options
 * allow.
 */
void descriptors_check(const struct options *options, size_t targets);

/*
 * Returns the most idle connections to keep to targets named in URLs. This is half of the descriptors that
 * remain next to `targets` configured targets, and at most --scrape.max-targets.
 */
unsigned descriptors_spare(const struct options *options, size_t targets);

/*
 * Returns the most HTTP connections to accept. This is the number in the options, or less if `targets`
 * targets leave fewer descriptors free. About a quarter of all descriptors remain for clients, however many
 * targets there are.
 */
unsigned descriptors_for_clients(const struct options *options, size_t targets);

#endif
