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
    char **items; /* owned, like each path in it */
    size_t count, size;
};

/* Initialises an empty list. Allocates nothing. */
void paths_init(struct paths *paths);

void paths_deinit(struct paths *paths);

/* Adds a copy. Returns 0 or UV_ENOMEM. */
int paths_add(struct paths *paths, const char *path);

/* Sorts by name and removes duplicates. */
void paths_sort(struct paths *paths);

/* Appends a path, with a backslash before each character that is special to glob. */
void paths_escape(struct buffer *out, struct slice path);

/*
 * Adds the files that match a pattern. A pattern without wildcards adds its file even if it does not exist,
 * so that opening the file gives the error. A directory that does not exist counts as empty. Returns 0,
 * UV_ENOMEM, or another negative libuv code if a directory cannot be listed; `error` then gets one line.
 */
int paths_add_files(struct paths *paths, const char *pattern, struct buffer *error);

/*
 * Adds the directories where a change can change the matches. Starts with the directory of the files, which
 * may have wildcards and match several directories. Continues upwards to the first existing directory whose
 * path has no wildcards. A directory that cannot be listed is left out. Returns 0 or UV_ENOMEM.
 */
int paths_add_directories(struct paths *paths, const char *pattern);

#endif
