/*
 * The HTTP side of the program, put together: the server, the guard before the handlers if there is a web
 * configuration, and where the options have it listen.
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

/* Zero at first. */
struct serving {
    uv_loop_t *loop;
    struct handlers *handlers; /* borrowed, with its telemetry */
    struct guard *guard;       /* owned; NULL without a web configuration */
    struct server *server;     /* owned; NULL before it is started */
    serving_close_fn on_close;
    void *on_close_context;
};

/*
 * Reads the web configuration, if the options name one. 0; or a negative libuv code with one line in `error`,
 * without a line end. What is borrowed is so until on_close.
 */
int serving_prepare(struct serving *serving, uv_loop_t *loop, const struct options *options,
                    struct handlers *handlers, struct buffer *error);

/* Listens. 0; or as above, UV_EINVAL for a malformed address. */
int serving_start(struct serving *serving, const struct options *options, struct buffer *error);

/* Allows as many connections as the number of targets leaves room for. Harmless before the start. */
void serving_limit(struct serving *serving, const struct options *options);

/* Lines of the log: where it listens, and what the guard has in force. */
void serving_log(const struct serving *serving);

/*
 * Closes what there is; see server_close for `grace_ms`. Calls on_close once, from the loop, or at once if
 * nothing was prepared.
 */
void serving_close(struct serving *serving, unsigned grace_ms, serving_close_fn on_close, void *context);

#endif
