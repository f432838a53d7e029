/*
 * Targets from files in the format of Prometheus' file_sd (sd_format.h), found by patterns (file_set.h).
 *
 * The directories of the files are watched, and the files are read soon after a change. The refresh interval
 * covers the rest: file systems without notifications, directories that match a wildcard only later, and
 * systems that have no watches left. A replaced file is read within about FILE_SD_NUDGE_MS. A YAML file that
 * was changed in place is read within another second.
 *
 * A broken file makes the question fail: its old targets stay, and the other files are read as usual. If no
 * file matches, the answer is valid and has no targets.
 */
#ifndef DISCOVERY_FILE_SD_H
#define DISCOVERY_FILE_SD_H

#include "discovery/discoverer.h"

/* Delay between a change and the reading. Changes often come in groups. */
#define FILE_SD_NUDGE_MS 100

discoverer_new_fn file_sd_new;

#endif
