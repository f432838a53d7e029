/*
 * Writes an exposition to a file for the textfile collector of node_exporter.
 *
 * Readers see the old content or the new content, never a part of it, even if the disk is full or the process
 * is killed. The bytes go to a hidden file in the same folder. When that file is complete and on the disk, it
 * is renamed to the final name. Interval, retries and logging belong to the owner.
 *
 *     init -> write -> [on_done] -> write -> ... -> close -> [on_close]
 *
 * The owner embeds the struct. It may release the memory only inside or after on_close.
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
 * Reports the end of a write. Status 0: the file is in place and on the disk, and `step` is NULL. A negative
 * libuv code: `step` names the step that failed, a constant string for logs. The target is then unchanged,
 * and the temporary file is removed. The one exception is the last step, "sync folder": if it fails, the new
 * content is in place but may not survive a power cut.
 */
typedef void (*textfile_fn)(struct textfile *textfile, int status, const char *step);

typedef void (*textfile_close_fn)(struct textfile *textfile);

struct textfile {
    uv_loop_t *loop;
    const char *path;          /* borrowed */
    struct producer *producer; /* owned; NULL once it is released */
    struct buffer piece;       /* bytes being written */
    size_t written;            /* how many bytes of the piece are written */
    bool last;                 /* no other piece follows */
    char temporary[PATH_MAX];
    bool temporary_exists;
    uv_file folder, file; /* -1: not open */
    uv_fs_t request;      /* request of the current step; one at a time */
    uv_idle_t farewell;   /* never started; closing it calls on_close later when no step is in progress */
    const char *step;     /* the step in progress, or the step that failed */
    int status;
    bool busy;
    bool closing; /* textfile_close was called; stays set until textfile_init */
    textfile_fn on_done;
    textfile_close_fn on_close;
};

/*
 * Sets the fields; does not use the loop. `path` is borrowed until on_close. If `path` is a symbolic link,
 * the write replaces the link and does not follow it.
 */
void textfile_init(struct textfile *textfile, uv_loop_t *loop, const char *path);

/*
 * Writes the bytes of the producer. Takes ownership of the producer and releases it exactly once in all
 * cases. The producer's functions run on the loop and must not close this textfile. At most one write at a
 * time (asserted).
 *
 * Returns 0: on_done runs exactly once, from the loop, never inside this call. But if the textfile is closed
 * before, on_done never runs. Returns a negative libuv code (the path is too long, no memory): on_done never
 * runs, and the producer is released.
 */
int textfile_write(struct textfile *textfile, struct producer *producer, textfile_fn on_done);

/*
 * Gives up the current write, removes its temporary file, and then calls on_close once, from the loop, never
 * inside this call. Releases the producer at once. Closing twice is harmless: only the first callback is
 * called.
 */
void textfile_close(struct textfile *textfile, textfile_close_fn on_close);

#endif
