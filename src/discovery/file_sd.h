/*
 * Targets from files in the format of Prometheus' file_sd (sd_format.h), found by patterns (file_set.h).
 *
 * The directories of the files are watched, and a change makes the files be read soon. The refresh interval
 * covers the rest: file systems without notifications, directories that come to match a wildcard later, and
 * systems that are out of watches. A replaced file is read within about FILE_SD_NUDGE_MS; a YAML file that
 * was written in place, within another second.
 *
 * A broken file makes the question fail: its old targets stay, and the other files are read as usual. If no
 * file matches, the answer is valid and has no targets.
 */
#ifndef DISCOVERY_FILE_SD_H
#define DISCOVERY_FILE_SD_H

#include "discovery/discoverer.h"

/* How long to wait after a change, since changes seldom come alone. */
#define FILE_SD_NUDGE_MS 100

discoverer_new_fn file_sd_new;

#endif
