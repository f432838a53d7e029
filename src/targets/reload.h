/*
 * Reads the configuration file at the start, and again after SIGHUP or a request by HTTP.
 *
 *     reload_request -> the file is read on the thread pool -> manager_set -> on_set -> every on_done
 *
 * If the file is wrong or cannot become active, the previous configuration stays, and the log gets one line
 * with the reason. The configuration belongs to the manager.
 */
#ifndef TARGETS_RELOAD_H
#define TARGETS_RELOAD_H

#include "base/buffer.h"
#include "cli/options.h"
#include "targets/manager.h"

#include <stdbool.h>
#include <uv.h>

struct reload;

/*
 * Reports the result of a reload. Status 0: the file, as it was after the request, is active. A negative
 * libuv code: it is not, and `error` is one line without a line end. UV_ECANCELED: the exporter is stopping.
 */
typedef void (*reload_done_fn)(void *context, int status, const char *error);
typedef void (*reload_close_fn)(void *context);
typedef void (*reload_step_fn)(void *context, bool reading);

/* Results for metrics. */
struct reload_state {
    bool successful;       /* true if the last reload succeeded */
    double last_success_s; /* Unix time; 0 if no reload has succeeded */
};

/*
 * Makes a reload, which handles SIGHUP from now on. Borrows all arguments; they must outlive it. Returns 0 or
 * a negative libuv code.
 */
int reload_new(struct reload **reload, uv_loop_t *loop, const struct options *flags, struct manager *manager);

/*
 * Reads the first configuration without a thread: the file, or the addresses from the flags if there is no
 * file. Returns 0; `config` is then borrowed until reload_start. Or returns a negative code with one line in
 * `error`, without a line end. Call it once, before everything else.
 */
int reload_read(struct reload *reload, const struct config **config, struct buffer *error);

/*
 * Passes the configuration of reload_read to the manager. Returns 0; on_done then runs once, from the loop,
 * never inside this call. Or returns a negative code; on_done then never runs, and `error` has one line
 * without a line end. Call it once, after reload_read.
 */
int reload_start(struct reload *reload, reload_done_fn on_done, void *context, struct buffer *error);

/*
 * Reads the file again; the flags must name a file (asserted). on_done, which may be NULL, runs once, from
 * the loop, never inside this call, also if reading fails. A reload that is already running may have read the
 * file before this request. So the file is then read once more, for all requests made meanwhile. Returns 0 or
 * UV_ENOMEM; after UV_ENOMEM, on_done never runs.
 */
int reload_request(struct reload *reload, reload_done_fn on_done, void *context);

/*
 * Tells of every reload from now on: `on_step` runs from the loop with true when a reading begins, and with
 * false when no other reading follows its end. A SIGHUP without a file to read calls it with both.
 */
void reload_watch(struct reload *reload, reload_step_fn on_step, void *context);

/* Returns the state. It is valid until on_close. */
const struct reload_state *reload_state(const struct reload *reload);

/*
 * Calls on_done of all pending requests with UV_ECANCELED, inside this call. on_close runs once, from the
 * loop, when all handles and threads have ended. If `reload` is NULL, does nothing, and on_close never runs.
 */
void reload_close(struct reload *reload, reload_close_fn on_close, void *context);

#endif
