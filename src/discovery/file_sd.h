/*
 * Targets from files in the format of Prometheus' file_sd (sd_format.h), found by patterns (file_set.h).
 *
 * Their directories are watched: a change nudges, and the refresh is the fallback for file systems that
 * tell nothing, for wildcards on the way that match later, and for when the system has no watches left. So a
 * file that is replaced is read within about FILE_SD_NUDGE_MS, one that is YAML and written in place or just
 * before within another second.
 *
 * A broken file is a failure, and its targets stay; the others' are found in spite of it. No file at all
 * is an answer: no targets.
 */
#ifndef DISCOVERY_FILE_SD_H
#define DISCOVERY_FILE_SD_H

#include "discovery/discoverer.h"

/* How long a change is left to become whole, since one seldom comes alone. */
#define FILE_SD_NUDGE_MS 100

discoverer_new_fn file_sd_new;

#endif
