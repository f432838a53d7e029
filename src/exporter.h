/* The composition root: owns the loop and everything on it, starts it in order and stops it in reverse. */
#ifndef EXPORTER_H
#define EXPORTER_H

#include "cli/options.h"

/*
 * Runs until SIGTERM or SIGINT and returns the exit code: 0 after a clean stop, 1 when something could not be
 * started, 2 when an address is malformed. What went wrong is one line on stderr.
 */
int exporter_run(const struct options *options);

#endif
