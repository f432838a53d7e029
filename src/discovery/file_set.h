/*
 * The files that match the glob patterns, each with the targets of its last good version.
 *
 * A file that is broken or unreadable keeps its old targets, while the others are updated. A file that is
 * gone loses its targets. All functions here block on the disk: call them on the thread pool, one at a time.
 * file_sd.h does the watching and repeating.
 *
 * A file may be read while it is being written. Half of a JSON list is invalid JSON, but half of a YAML list
 * may be valid YAML. So a changed YAML file is read only after it has not changed for FILE_SET_REST_MS. If it
 * changes all the time, it is read after FILE_SET_PATIENCE_MS.
 */
#ifndef DISCOVERY_FILE_SET_H
#define DISCOVERY_FILE_SET_H

#include "base/buffer.h"
#include "discovery/paths.h"
#include "discovery/results.h"

#include <stdbool.h>
#include <stddef.h>

#define FILE_SET_REST_MS     1000
#define FILE_SET_PATIENCE_MS 10000

struct file_set_member;

struct file_set {
    struct paths patterns;
    struct file_set_member *members; /* owned; sorted by path */
    size_t count;
    bool answered; /* some answer was reported */
    bool owes;     /* the targets have changed since the last report */
};

struct file_set_answer {
    struct results found; /* targets of all files, in the order of the paths; only if `changed` */
    bool changed;         /* the targets may differ from those of the last answer */
    bool restless;        /* a file was not accepted yet: read again after FILE_SET_REST_MS */
    unsigned broken;      /* number of broken files, or 1 if the reading failed as a whole */
    struct buffer error;  /* one line about the first broken file, without a line end; or empty */
};

/*
 * Sets the patterns, which are those of glob(3). They must end in .json, .yml or .yaml, in upper or lower
 * case; this suffix decides how a file is parsed. Relative patterns are below `directory`. Returns 0,
 * UV_EINVAL with one line in `error`, or UV_ENOMEM. Call file_set_deinit in any case.
 */
int file_set_init(struct file_set *set, const char *const *patterns, size_t count, const char *directory,
                  struct buffer *error);

void file_set_deinit(struct file_set *set);

/* Adds the directories to watch: a change in one of them can change the files. Returns 0 or UV_ENOMEM. */
int file_set_directories(const struct file_set *set, struct paths *directories);

/*
 * Reads the files. Each target gets the label __meta_filepath, as in Prometheus. If a directory cannot be
 * listed, or memory runs out, the old targets stay. A pattern that matches nothing is not an error. Call
 * file_set_answer_deinit in any case.
 */
void file_set_read(struct file_set *set, struct file_set_answer *answer);

void file_set_answer_deinit(struct file_set_answer *answer);

#endif
