/*
 * Access control between the HTTP server and the handlers, by the web configuration file. Each request passes
 * these checks, in the order of exporter-toolkit:
 *
 *     guard_handle -> the file (500) -> rate limit (429) -> headers -> user and password (401) -> the handler
 *
 * The checks apply to every path. A request waits while its password is hashed in a thread (password.h). The
 * guard also provides the certificates for TLS.
 */
#ifndef WEB_GUARD_H
#define WEB_GUARD_H

#include "base/buffer.h"
#include "http/server.h"

#include <uv.h>

struct guard;

typedef void (*guard_close_fn)(void *context);

/*
 * Reads the web configuration file and the files that it names. Returns 0, or a negative code with one line
 * in `error`, without a line end: UV_EINVAL for an invalid file, or a system error. `file`, the handler and
 * its context are borrowed until guard_close.
 */
int guard_new(struct guard **guard, uv_loop_t *loop, const char *file, server_handler_fn handler,
              void *context, struct buffer *error);

/* A server_handler_fn whose context is the guard. */
void guard_handle(void *context, struct exchange *exchange, const struct request *request);

/* Enables TLS on the server, if the file configured TLS when it was first read. */
void guard_secure(struct guard *guard, struct server *server);

/*
 * guard_log_address logs whether the address uses TLS. guard_log logs the other settings in effect. `guard`
 * may be NULL.
 */
void guard_log_address(const struct guard *guard, struct slice address);
void guard_log(const struct guard *guard);

/*
 * Closes the guard, after the server is closed. on_close runs once, from the loop. Does nothing and never
 * calls on_close if `guard` is NULL.
 */
void guard_close(struct guard *guard, guard_close_fn on_close, void *context);

#endif
