/*
 * Expands glob patterns: to files, and to the directories to watch for changes.
 *
 * Patterns are those of glob(3); a backslash makes a special character literal. Reads directories, so it
 * blocks on the disk.
 */
#ifndef DISCOVERY_PATHS_H
#define DISCOVERY_PATHS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <stddef.h>

struct paths {
    char **items; /* owned, each too */
    size_t count, size;
};

/* Allocates nothing. */
void paths_init(struct paths *paths);

void paths_deinit(struct paths *paths);

/* Adds a copy. 0 or UV_ENOMEM. */
int paths_add(struct paths *paths, const char *path);

/* Orders them by name and drops what is there twice. */
void paths_sort(struct paths *paths);

/* Appends a path, with a backslash before each character that is special to glob. */
void paths_escape(struct buffer *out, struct slice path);

/*
 * Adds the files that match a pattern. A pattern without wildcards adds its file even if it does not exist,
 * so that opening the file gives the error. 0; UV_ENOMEM; or another negative libuv code, with one line in
 * `error`, when a directory cannot be listed. A directory that does not exist counts as empty.
 */
int paths_add_files(struct paths *paths, const char *pattern, struct buffer *error);

/*
 * Adds the directories whose changes tell of other matches: the one that holds them, where it does not exist
 * the nearest above that does; where a wildcard names directories, all of these, and the one above.
 * 0, or UV_ENOMEM. One that cannot be listed is left out.
 */
int paths_add_directories(struct paths *paths, const char *pattern);

#endif
