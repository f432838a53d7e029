/* Divides the limit of open files between HTTP clients and memcached connections. */
#ifndef SETTINGS_DESCRIPTORS_H
#define SETTINGS_DESCRIPTORS_H

#include "cli/options.h"

#include <stddef.h>

/*
 * Opens /dev/null in place of standard input, output and error where they are closed. Else the first files
 * that the program opens would get their numbers, and messages would go there. To be called first of all.
 */
void descriptors_hold_standard(void);

/* Raises the soft limit to the hard one. */
void descriptors_raise(void);

/* Logs once if so many targets, and the HTTP clients that the options allow, are more than the limit. */
void descriptors_check(const struct options *options, size_t targets);

/*
 * Upper bound for idle connections to targets of URLs: half of the descriptors that `targets` configured ones
 * leave free, and no more than a request may name.
 */
unsigned descriptors_spare(const struct options *options, size_t targets);

/*
 * Upper bound for HTTP connections: what the options allow, or less when `targets` targets leave fewer
 * descriptors free. Even many targets leave about a quarter of all descriptors to clients.
 */
unsigned descriptors_for_clients(const struct options *options, size_t targets);

#endif
