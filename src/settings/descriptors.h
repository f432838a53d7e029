/* How many files this process may have open, and how many connections that leaves. */
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
 * How many servers that were scraped by URL may keep their connections: half of what so many targets leave,
 * and no more than a request may name.
 */
unsigned descriptors_spare(const struct options *options, size_t targets);

/*
 * How many HTTP clients may be connected at once: as many as the options allow, or as the limit of open files
 * leaves beside so many targets; then at least a quarter of it, since without clients no target is of use.
 */
unsigned descriptors_for_clients(const struct options *options, size_t targets);

#endif
