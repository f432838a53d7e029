/*
 * Puts this exporter into its sandbox: decides which folders stay writable, and says in the log and in the
 * metrics which layers are in force.
 *
 *     sandbox_start -> the first thread -> listening -> sandbox_finish
 */
#ifndef SANDBOX_START_H
#define SANDBOX_START_H

#include "cli/options.h"
#include "collectors/telemetry.h"
#include "config/config.h"
#include "sandbox.h"

/*
 * To be called while the program has one thread. The folders of the textfile and of the unix sockets that are
 * listened on stay writable; for a folder that is not there yet, the nearest one above it does. With
 * --memcached.pid-file files are not restricted, since Landlock also hides the descriptors of other
 * processes. 0 or UV_ENOMEM.
 */
int sandbox_start(struct sandbox *sandbox, const struct options *flags, const struct config *config);

/* To be called when everything listens that is to listen. Logs one line; with --once at the level debug. */
void sandbox_finish(struct sandbox *sandbox, const struct options *flags, struct telemetry *telemetry);

#endif
