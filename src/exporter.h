/*
 * Assembles the program: owns the loop and everything on it, starts all parts in order and stops them in
 * reverse order.
 */
#ifndef EXPORTER_H
#define EXPORTER_H

#include "cli/options.h"

/*
 * Runs until SIGTERM or SIGINT. Returns the exit code: 0 after a clean stop, 1 if something could not start,
 * 2 if an address is malformed. An error is one line on stderr.
 */
int exporter_run(const struct options *options);

#endif
