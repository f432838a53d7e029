/*
 * The happy path. Each step runs on the thread pool, since a disk may be slow:
 *
 *     textfile_write -> on_folder_opened -> on_leftover_removed -> on_file_opened -> write_on -> on_written
 *     -> ... -> on_mode_set -> on_file_synced -> on_file_closed -> on_renamed -> on_folder_synced -> clean_up
 *     -> finish_write
 *
 * What can go wrong: a step fails, the producer fails, or the owner closes. Each of these ends in give_up,
 * which releases the producer. Then clean_up closes and removes what is left, one thing at a time, and
 * finish_write tells the owner. A step on the thread pool is not cancelled: a running step cannot be stopped,
 * and a queued step will not wait long.
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

/* A producer may exceed a piece by a part that it cannot split. */
#define PIECE_CAP (16 * PIECE)

/* Most bytes of the target's name in the temporary name, so that this stays a valid name (255 bytes). */
#define NAME_KEPT 230

/* Callbacks of the steps, in the order in which they run. */
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
 * Closes and removes the next thing that is left; on_cleaned calls this again until nothing is left. Failures
 * are not reported: they do not affect the target file, and the next write removes a leftover temporary file.
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

/* Stores the name of the step that was just passed to libuv. Gives up if libuv refused the step. */
static void enter(struct textfile *textfile, const char *step, int armed)
{
    textfile->step = step;
    if (armed < 0) give_up(textfile, armed);
}

/* Ends a step. Returns true if the next step may follow. */
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
 * Makes the name of the temporary file: a leading dot and the suffix .tmp. node_exporter reads only *.prom,
 * and a shell's * skips hidden files. The process id keeps two exporters with the same path from writing into
 * each other's file.
 */
static int name_temporary(struct textfile *textfile)
{
    const char *slash = strrchr(textfile->path, '/');
    const char *name = slash ? slash + 1 : textfile->path;
    int len = snprintf(textfile->temporary, sizeof(textfile->temporary), "%.*s.%.*s.%ld.tmp",
                       (int) (name - textfile->path), textfile->path, NAME_KEPT, name, (long) uv_os_getpid());
    return len < 0 || (size_t) len >= sizeof(textfile->temporary) ? UV_ENAMETOOLONG : 0;
}

/* Opens the folder of the path. Appending "." also covers a path without a folder. libuv copies the name. */
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

    /*
     * An earlier run with our process id may have been killed and left its temporary file. In a container,
     * every run usually has the same process id.
     */
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

/* Gets the next piece. An empty piece means that nothing was left. */
static void fetch(struct textfile *textfile)
{
    struct producer *producer = textfile->producer;
    textfile->written = 0;
    buffer_clear(&textfile->piece);
    textfile->last = !producer_fill_some(producer, &textfile->piece, PIECE);
    assert(textfile->last || textfile->piece.len || textfile->piece.failed);
    if (textfile->last) release_producer(textfile);
}

/*
 * Writes the rest of the current piece, or the next piece; at the end, continues with the permissions. A full
 * disk makes a write short; the next write then reports the reason.
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

    /*
     * Without this, the new name could reach the disk before the bytes. A power cut would then leave an empty
     * file.
     */
    enter(textfile, "sync", uv_fs_fsync(textfile->loop, request, textfile->file, on_file_synced));
}

static void on_file_synced(uv_fs_t *request)
{
    struct textfile *textfile = textfile_of(request);
    if (!passed(request)) return;
    uv_file file = textfile->file;
    textfile->file = -1; /* closed even if close reports an error */
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
    if (textfile->busy) return; /* the current step ends first and then sees `closing` */
    uv_idle_init(textfile->loop, &textfile->farewell);
    uv_close((uv_handle_t *) &textfile->farewell, on_farewell);
}
