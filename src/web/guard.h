/*
 * Stands between the HTTP server and the handlers: lets through who may come by the web configuration file,
 * and has connections secured. In exporter-toolkit's order:
 *
 *     guard_handle -> the file (500) -> how often (429) -> headers -> user and password (401) -> the handler
 *
 * It holds for every path. A password is hashed elsewhere (password.h) and the request waits for that.
 */
#ifndef WEB_GUARD_H
#define WEB_GUARD_H

#include "base/buffer.h"
#include "http/server.h"

#include <uv.h>

struct guard;

typedef void (*guard_close_fn)(void *context);

/*
 * Reads the file and all that it names. 0; or a negative code with one line in `error`, without a line end:
 * UV_EINVAL or the system's. The path, the handler and its context are borrowed.
 */
int guard_new(struct guard **guard, uv_loop_t *loop, const char *file, server_handler_fn handler,
              void *context, struct buffer *error);

/* A server_handler_fn whose context is the guard. */
void guard_handle(void *context, struct exchange *exchange, const struct request *request);

/* Has the server secured, if the file has TLS now, at the start. */
void guard_secure(struct guard *guard, struct server *server);

/*
 * Lines of the log: whether there is TLS at that address; and once what else is in force. `guard` may be
 * NULL.
 */
void guard_log_address(const struct guard *guard, struct slice address);
void guard_log(const struct guard *guard);

/*
 * After the server is closed. NULL is taken, as with none: on_close runs once, from the loop, or never for
 * NULL.
 */
void guard_close(struct guard *guard, guard_close_fn on_close, void *context);

#endif
