/*
 * The happy path, one step after the other on the thread pool, since a disk may take its time:
 *
 *     textfile_write -> on_folder_opened -> on_leftover_removed -> on_file_opened -> write_on -> on_written
 *     -> ... -> on_mode_set -> on_file_synced -> on_file_closed -> on_renamed -> on_folder_synced -> clean_up
 *     -> finish_write
 *
 * What can go wrong: any step fails, the producer's piece failed, or the owner closes. Each of them ends in
 * give_up: nothing further is asked of the producer, and clean_up closes and removes what there is, one thing
 * at a time, before the owner hears of it. A step on the thread pool is not cancelled: a running one cannot
 * be stopped, and a queued one will not wait long.
 *
 * The folder is opened first, so that an unusable folder is found before anything is changed.
 */
#include "outputs/textfile.h"

#include "base/container.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Large enough that the cost of the thread pool does not matter, small enough for one turn of the loop. */
#define PIECE (64 * 1024)

/* A producer may overshoot a piece by what it cannot divide. */
#define PIECE_CAP (16 * PIECE)

/* What the temporary file's name keeps of the target's, so that it is a valid name (255 bytes) too. */
#define NAME_KEPT 230

/* In the order in which they run. */
static void on_folder_opened(uv_fs_t *request);
static void on_leftover_removed(uv_fs_t *request);
static void on_file_opened(uv_fs_t *request);
static void on_written(uv_fs_t *request);
static void on_mode_set(uv_fs_t *request);
static void on_file_synced(uv_fs_t *request);
static void on_file_closed(uv_fs_t *request);
static void on_renamed(uv_fs_t *request);
static void on_folder_synced(uv_fs_t *request);
static void on_cleaned(uv_fs_t *request);

void textfile_init(struct textfile *textfile, uv_loop_t *loop, const char *path)
{
    *textfile = (struct textfile){.loop = loop, .path = path, .folder = -1, .file = -1};
}

static struct textfile *textfile_of(uv_fs_t *request)
{
    return container_of(request, struct textfile, request);
}

static void release_producer(struct textfile *textfile)
{
    struct producer *producer = textfile->producer;
    textfile->producer = NULL;
    if (producer) producer->release(producer);
}

/* --- The end --- */

static void finish_write(struct textfile *textfile)
{
    buffer_deinit(&textfile->piece);
    textfile->busy = false;
    if (textfile->closing)
        textfile->on_close(textfile);
    else
        textfile->on_done(textfile, textfile->status, textfile->status < 0 ? textfile->step : NULL);
}

/*
 * Called again by on_cleaned until nothing is left. Failures are not reported: they do not affect the target
 * file, and the next write removes a temporary file that was left.
 */
static void clean_up(struct textfile *textfile)
{
    uv_file file = textfile->file, folder = textfile->folder;
    if (file >= 0) {
        textfile->file = -1;
        if (uv_fs_close(textfile->loop, &textfile->request, file, on_cleaned) == 0) return;
    }
    if (textfile->temporary_exists) {
        textfile->temporary_exists = false;
        if (uv_fs_unlink(textfile->loop, &textfile->request, textfile->temporary, on_cleaned) == 0) return;
    }
    if (folder >= 0) {
        textfile->folder = -1;
        if (uv_fs_close(textfile->loop, &textfile->request, folder, on_cleaned) == 0) return;
    }
    finish_write(textfile);
}

static void on_cleaned(uv_fs_t *request)
{
    uv_fs_req_cleanup(request);
    clean_up(textfile_of(request));
}

static void give_up(struct textfile *textfile, int status)
{
    textfile->status = status;
    release_producer(textfile);
    clean_up(textfile);
}

/* --- The steps --- */

/* Names the step that was just handed to libuv; it may have been refused for want of memory. */
static void enter(struct textfile *textfile, const char *step, int armed)
{
    textfile->step = step;
    if (armed < 0) give_up(textfile, armed);
}

/* Ends a step: true when the next one may follow. */
static bool passed(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    int status = request->result < 0 ? (int) request->result : 0;
    uv_fs_req_cleanup(request);
    if (textfile->closing) status = UV_ECANCELED;
    if (status < 0) give_up(textfile, status);
    return status == 0;
}

/*
 * A dot in front and .tmp behind: node_exporter takes *.prom, and a shell's * leaves it out too. The process
 * id keeps two exporters that were given the same path from writing into each other's file.
 */
static int name_temporary(struct textfile *textfile)
{
    const char *slash = strrchr(textfile->path, '/');
    const char *name = slash ? slash + 1 : textfile->path;
    int len = snprintf(textfile->temporary, sizeof(textfile->temporary), "%.*s.%.*s.%ld.tmp",
                       (int) (name - textfile->path), textfile->path, NAME_KEPT, name, (long) uv_os_getpid());
    return len < 0 || (size_t) len >= sizeof(textfile->temporary) ? UV_ENAMETOOLONG : 0;
}

/* libuv copies the name. With "." appended, a path without a folder needs no case of its own. */
static int open_folder(struct textfile *textfile)
{
    char folder[PATH_MAX];
    const char *slash = strrchr(textfile->path, '/');
    int len = slash ? (int) (slash + 1 - textfile->path) : 0;
    snprintf(folder, sizeof(folder), "%.*s.", len, textfile->path);
    return uv_fs_open(textfile->loop, &textfile->request, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0,
                      on_folder_opened);
}

int textfile_write(struct textfile *textfile, struct producer *producer, textfile_fn on_done)
{
    assert(!textfile->busy && !textfile->closing);
    textfile->producer = producer;
    textfile->on_done = on_done;
    textfile->status = 0;
    textfile->last = false;
    textfile->written = 0;
    textfile->step = "open folder";
    int result = name_temporary(textfile);
    if (result == 0) result = open_folder(textfile);
    if (result < 0) {
        release_producer(textfile);
        return result;
    }
    buffer_init(&textfile->piece, PIECE_CAP);
    textfile->busy = true;
    return 0;
}

static void on_folder_opened(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (request->result >= 0) textfile->folder = (uv_file) request->result;
    if (!passed(request)) return;

    /* An earlier run with our process id, which is the rule in a container, may have been killed. */
    enter(textfile, "remove old temporary file",
          uv_fs_unlink(textfile->loop, request, textfile->temporary, on_leftover_removed));
}

static void on_leftover_removed(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (request->result == UV_ENOENT) request->result = 0;
    if (!passed(request)) return;
    enter(textfile, "open temporary file",
          uv_fs_open(textfile->loop, request, textfile->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
                     0600, on_file_opened));
}

static void write_on(struct textfile *textfile);

static void on_file_opened(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (request->result >= 0) {
        textfile->file = (uv_file) request->result;
        textfile->temporary_exists = true;
    }
    if (passed(request)) write_on(textfile);
}

/* The next piece; an empty one only when nothing was left. */
static void fetch(struct textfile *textfile)
{
    struct producer *producer = textfile->producer;
    textfile->written = 0;
    buffer_clear(&textfile->piece);
    textfile->last = !producer->fill(producer, &textfile->piece, PIECE);
    assert(textfile->last || textfile->piece.len || textfile->piece.failed);
    if (textfile->last) release_producer(textfile);
}

/*
 * The rest of the piece at hand, else the next one, else the end of the file. A write is short when the disk
 * fills up in it; the next one tells the reason.
 */
static void write_on(struct textfile *textfile)
{
    struct buffer *piece = &textfile->piece;
    if (textfile->written == piece->len && !textfile->last) fetch(textfile);
    if (piece->failed) {
        enter(textfile, "collect", UV_ENOMEM);
    } else if (textfile->written < piece->len) {
        uv_buf_t rest =
            uv_buf_init(piece->data + textfile->written, (unsigned) (piece->len - textfile->written));
        enter(textfile, "write",
              uv_fs_write(textfile->loop, &textfile->request, textfile->file, &rest, 1, -1, on_written));
    } else {
        /*
         * node_exporter runs as another user and must be able to read the file, whatever our umask is.
         * Metrics are not secret: node_exporter serves them to everybody.
         */
        enter(textfile, "set permissions",
              uv_fs_fchmod(textfile->loop, &textfile->request, textfile->file, 0644, on_mode_set));
    }
}

static void on_written(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (request->result > 0) textfile->written += (size_t) request->result;
    if (passed(request)) write_on(textfile);
}

static void on_mode_set(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (!passed(request)) return;

    /* Else the new name could reach the disk before the bytes, and a power cut would leave an empty file. */
    enter(textfile, "sync", uv_fs_fsync(textfile->loop, request, textfile->file, on_file_synced));
}

static void on_file_synced(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (!passed(request)) return;
    uv_file file = textfile->file;
    textfile->file = -1; /* it is gone even when its close reports an error */
    enter(textfile, "close", uv_fs_close(textfile->loop, request, file, on_file_closed));
}

static void on_file_closed(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (!passed(request)) return;
    enter(textfile, "rename",
          uv_fs_rename(textfile->loop, request, textfile->temporary, textfile->path, on_renamed));
}

static void on_renamed(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (request->result == 0) textfile->temporary_exists = false;
    if (!passed(request)) return;
    enter(textfile, "sync folder", uv_fs_fsync(textfile->loop, request, textfile->folder, on_folder_synced));
}

static void on_folder_synced(uv_fs_t *request)
{
    if (passed(request)) clean_up(textfile_of(request));
}

/* --- Closing --- */

static void on_farewell(uv_handle_t *handle)
{
    struct textfile *textfile = container_of(handle, struct textfile, farewell);
    textfile->on_close(textfile);
}

void textfile_close(struct textfile *textfile, textfile_close_fn on_close)
{
    if (textfile->closing) return;
    textfile->closing = true;
    textfile->on_close = on_close;
    release_producer(textfile);
    if (textfile->busy) return; /* the step at work comes back and finds the flag */
    uv_idle_init(textfile->loop, &textfile->farewell);
    uv_close((uv_handle_t *) &textfile->farewell, on_farewell);
}
