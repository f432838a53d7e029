/*
 * Reads the configuration file, at the start and again when that is asked for, by SIGHUP or by HTTP.
 *
 *     reload_request -> reading, on the thread pool -> manager_set -> on_set -> [on_done of all who asked]
 *
 * A file that is bad, or that cannot be put in force, changes nothing: what was in force stays, and one line
 * says why. It keeps no configuration; that is the manager's.
 */
#ifndef TARGETS_RELOAD_H
#define TARGETS_RELOAD_H

#include "base/buffer.h"
#include "cli/options.h"
#include "targets/manager.h"

#include <stdbool.h>
#include <uv.h>

struct reload;

/* status 0: the file as it was after the request is in force. A negative code: it is not, and `error` is one
 * line; UV_ECANCELED when the exporter stops. */
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
 * The first time, without a thread: reads the file, or without one what the flags say, and sets it. 0:
 * on_done runs once, from the loop, never inside this call. A negative code: never, and `error` has one line,
 * without a line end. To be called once, before anything else.
 */
int reload_start(struct reload *reload, reload_done_fn on_done, void *context, struct buffer *error);

/*
 * Reads the file again; flags that name none are an error of the caller (asserted). on_done, which may be
 * NULL, runs once, from the loop, never inside this call, also when it fails. What is under way may have read
 * the file before the request: it is then read once more. 0 or UV_ENOMEM: then on_done never runs.
 */
int reload_request(struct reload *reload, reload_done_fn on_done, void *context);

/* Good until on_close. */
const struct reload_state *reload_state(const struct reload *reload);

/*
 * Tells those who wait that nothing will come of it, inside this call; on_close runs once, from the loop,
 * when no handle and no thread is left. NULL is taken: then never. The manager must be closed behind it,
 * which releases the last memory.
 */
void reload_close(struct reload *reload, reload_close_fn on_close, void *context);

#endif
