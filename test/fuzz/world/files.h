/*
 * The few files of a scenario, in a folder of this process that is removed at its end: the configuration, a
 * list of targets, and what c-ares and the resolver read below /etc.
 */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include "base/slice.h"

/* The path of a file of this scenario; valid until the next call. */
const char *files_name(const char *name);

/* Replaces the content of a file. */
void files_write(const char *name, struct slice content);
void files_remove(const char *name);

/*
 * Returns the path that stands for another one: /etc/resolv.conf and /etc/hosts are not those of the machine.
 */
const char *files_path(const char *path);

#endif
