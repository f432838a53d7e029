/*
 * Writes an exposition to a file for the textfile collector of node_exporter.
 *
 * Readers see the old content or the new content, never a part of it, even if the disk is full or the process
 * is killed. The bytes go to a hidden file in the same folder, which is renamed to the final name when it is
 * complete and on the disk. Interval, retries and logging belong to the owner.
 *
 *     init -> write -> [on_done] -> write -> ... -> close -> [on_close]
 *
 * The memory belongs to the owner, who embeds it and may release it only from or after on_close.
 */
#ifndef OUTPUTS_TEXTFILE_H
#define OUTPUTS_TEXTFILE_H

#include "base/buffer.h"
#include "base/producer.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct textfile;

/*
 * status 0: the file is in place and on the disk, and `step` is NULL. A negative libuv code: `step` says what
 * failed, in words for a log, and lives for ever. The target is then as it was, and no temporary file is
 * left; only when the last step, "sync folder", failed, the new content is in place but may not outlive a
 * power cut.
 */
typedef void (*textfile_fn)(struct textfile *textfile, int status, const char *step);

typedef void (*textfile_close_fn)(struct textfile *textfile);

struct textfile {
    uv_loop_t *loop;
    const char *path;          /* borrowed */
    struct producer *producer; /* owned; NULL once it is released */
    struct buffer piece;       /* what is being written */
    size_t written;            /* so much of the piece */
    bool last;                 /* no other piece follows */
    char temporary[PATH_MAX];
    bool temporary_exists;
    uv_file folder, file; /* -1: not open */
    uv_fs_t request;      /* of the step at work; there is one at a time */
    uv_idle_t farewell;   /* takes the report of an idle textfile's close to the loop */
    const char *step;     /* at work, or the one that failed */
    int status;
    bool busy;
    bool closing; /* textfile_close was called; stays set until textfile_init */
    textfile_fn on_done;
    textfile_close_fn on_close;
};

/*
 * Sets the fields; touches no loop. `path` is borrowed until on_close. A symbolic link there is replaced, not
 * followed.
 */
void textfile_init(struct textfile *textfile, uv_loop_t *loop, const char *path);

/*
 * Writes what the producer gives. The producer is taken over, and released exactly once whatever comes of it;
 * its functions run on the loop and must not close this textfile. At most one write at a time (asserted). 0:
 * on_done runs exactly once, from the loop, never inside this call, unless the textfile is closed before;
 * then never. A negative libuv code (the path is too long, no memory): never, and the producer is released.
 */
int textfile_write(struct textfile *textfile, struct producer *producer, textfile_fn on_done);

/*
 * Gives up what is under way, removes its temporary file, and then calls on_close once, from the loop, never
 * inside this call. The producer is released at once. Closing twice is harmless: the first call's callback
 * counts.
 */
void textfile_close(struct textfile *textfile, textfile_close_fn on_close);

#endif
