/*
 * Reads the configuration file, at the start and again whenever SIGHUP or HTTP asks for it.
 *
 *     reload_request -> the file is read on the thread pool -> manager_set -> on_set -> on_done of all who asked
 *
 * A file that is bad, or that cannot be brought into force, changes nothing: the previous configuration stays,
 * and one line of the log says why. The configuration belongs to the manager.
 */
#ifndef TARGETS_RELOAD_H
#define TARGETS_RELOAD_H

#include "base/buffer.h"
#include "cli/options.h"
#include "targets/manager.h"

#include <stdbool.h>
#include <uv.h>

struct reload;

/* status 0: the file as it was after the request is in force. A negative libuv code: it is not, and `error` is
 * one line without a line end; UV_ECANCELED when the exporter stops. */
typedef void (*reload_done_fn)(void *context, int status, const char *error);
typedef void (*reload_close_fn)(void *context);

/* For metrics. */
struct reload_state {
    bool successful;       /* the last time */
    double last_success_s; /* Unix time; 0 for never */
};

/* 0 or a negative libuv code. All is borrowed, for longer than it lives. SIGHUP is handled from here on. */
int reload_new(struct reload **reload, uv_loop_t *loop, const struct options *flags, struct manager *manager);

/*
 * The first time, without a thread: reads the file, or without one the addresses of the flags. 0, and `config` is what
 * was read, borrowed until reload_start; or a negative code with one line in `error`, without a line end. To be
 * called once, before anything else.
 */
int reload_read(struct reload *reload, const struct config **config, struct buffer *error);

/*
 * Sets the configuration that reload_read has read. 0: on_done runs once, from the loop, never inside this call. A negative code: never, and
 * `error` has one line without a line end. To be called once, behind reload_read.
 */
int reload_start(struct reload *reload, reload_done_fn on_done, void *context, struct buffer *error);

/*
 * Reads the file again; the flags must name one (asserted). on_done, which may be NULL, runs once, from the
 * loop, never inside this call, also when reading fails. A reload that is under way may have read the file
 * before this request, so that the file is read once more behind it, for all who asked meanwhile. 0 or
 * UV_ENOMEM: then on_done never runs.
 */
int reload_request(struct reload *reload, reload_done_fn on_done, void *context);

/* Good until on_close. */
const struct reload_state *reload_state(const struct reload *reload);

/*
 * Calls on_done of all who wait, with UV_ECANCELED, inside this call; on_close runs once, from the loop, when
 * no handle and no thread is left. NULL is taken: then never.
 */
void reload_close(struct reload *reload, reload_close_fn on_close, void *context);

#endif
