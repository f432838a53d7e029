/*
 * The files that match the glob patterns, each with the targets that it listed when it was last good.
 *
 * A file that is broken or unreadable keeps its old targets, while the others are updated. A file that is
 * gone loses its targets. All functions here block on the disk: call them on the thread pool, one at a time.
 * Watching and repeating belong to file_sd.h.
 *
 * A file may be seen while it is being written. Half of a JSON list is invalid JSON, but half of a YAML list
 * may be valid YAML. So a changed YAML file is read only after it has not changed for FILE_SET_REST_MS, or,
 * if it changes all the time, after FILE_SET_PATIENCE_MS.
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
    struct file_set_member *members; /* owned; in the order of their names */
    size_t count;
    bool answered; /* something was told */
    bool owes;     /* and since then something else was read */
};

struct file_set_answer {
    struct results found; /* all targets, in the order of their files' names; only if `changed` */
    bool changed;         /* they may differ from those of the last answer */
    bool restless;        /* a file is not taken yet: read again after FILE_SET_REST_MS */
    unsigned broken;      /* files that are, or 1 if it failed as a whole */
    struct buffer error;  /* one line of what is broken first, without a line end; empty for nothing */
};

/*
 * Patterns are those of glob(3). They end in .json, .yml or .yaml, in upper or lower case, which decides how
 * a file is read. Relative patterns are below `directory`. 0; UV_EINVAL with one line in `error`; or
 * UV_ENOMEM. Call file_set_deinit in any case.
 */
int file_set_init(struct file_set *set, const char *const *patterns, size_t count, const char *directory,
                  struct buffer *error);

void file_set_deinit(struct file_set *set);

/* Adds the directories whose changes tell that it should be read again. 0 or UV_ENOMEM. */
int file_set_directories(const struct file_set *set, struct paths *directories);

/*
 * Reads the files; each target has the label __meta_filepath, as from Prometheus. If a directory cannot be
 * listed, or there is no memory, everything stays as it was. A pattern that matches nothing is no error.
 * file_set_answer_deinit follows in any case.
 */
void file_set_read(struct file_set *set, struct file_set_answer *answer);

void file_set_answer_deinit(struct file_set_answer *answer);

#endif
