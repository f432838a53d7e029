/*
 * Assembles the HTTP side of the program: the server, the guard if there is a web configuration, and the
 * listeners that the options name.
 *
 *     serving_prepare -> serving_start -> serving_close -> [on_close]
 */
#ifndef WEB_SERVING_H
#define WEB_SERVING_H

#include "base/buffer.h"
#include "cli/options.h"
#include "web/guard.h"
#include "web/handlers.h"

#include <uv.h>

typedef void (*serving_close_fn)(void *context);

/* Starts zeroed. */
struct serving {
    uv_loop_t *loop;
    struct handlers *handlers; /* borrowed, as is its telemetry */
    struct guard *guard;       /* owned; NULL without a web configuration */
    struct server *server;     /* owned; NULL before serving_start */
    serving_close_fn on_close;
    void *on_close_context;
};

/*
 * Reads the web configuration, if the options name one. Returns 0, or a negative libuv code with one line in
 * `error`, without a line end. `handlers` and the file's name are borrowed until on_close.
 */
int serving_prepare(struct serving *serving, uv_loop_t *loop, const struct options *options,
                    struct handlers *handlers, struct buffer *error);

/*
 * Creates the server and starts to listen. Returns like serving_prepare; UV_EINVAL for a malformed address.
 */
int serving_start(struct serving *serving, const struct options *options, struct buffer *error);

/* Adjusts the limit of connections to the number of configured targets. Does nothing before serving_start. */
void serving_limit(struct serving *serving, const struct options *options);

/* Logs the addresses that the server listens on, and the settings of the guard. */
void serving_log(const struct serving *serving);

/*
 * Closes the server and the guard. `grace_ms` is as in server_close. Calls on_close once, from the loop, or
 * immediately if neither exists.
 */
void serving_close(struct serving *serving, unsigned grace_ms, serving_close_fn on_close, void *context);

#endif
