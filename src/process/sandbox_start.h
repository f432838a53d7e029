/*
 * Puts this exporter into its sandbox: decides which folders stay writable, and shows the active layers in
 * the log and the metrics.
 *
 *     sandbox_start -> the first thread -> listening -> sandbox_finish
 */
#ifndef PROCESS_SANDBOX_START_H
#define PROCESS_SANDBOX_START_H

#include "cli/options.h"
#include "collectors/telemetry.h"
#include "config/config.h"
#include "process/sandbox.h"

/*
 * Call this before the program starts a thread. The folders of the textfile and of unix sockets to listen on
 * stay writable. If such a folder does not exist yet, its nearest existing parent stays writable. With
 * --memcached.pid-file, files are not restricted, because Landlock also hides the descriptors of other
 * processes. Returns 0 or UV_ENOMEM.
 */
int sandbox_start(struct sandbox *sandbox, const struct options *flags, const struct config *config);

/* Call this after all listeners are open. Logs one line; with --once at level debug. */
void sandbox_finish(struct sandbox *sandbox, const struct options *flags, struct telemetry *telemetry);

#endif
