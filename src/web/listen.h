/* Opens the listeners that the options name: addresses, or sockets passed by systemd. */
#ifndef WEB_LISTEN_H
#define WEB_LISTEN_H

#include "base/buffer.h"
#include "cli/options.h"
#include "http/server.h"
#include "web/guard.h"

/*
 * Starts to listen. Returns 0, or a negative libuv code with one line in `error`, without a line end. The
 * code is UV_EINVAL for a malformed address.
 */
int listen_all(struct server *server, const struct options *options, struct buffer *error);

/* Logs each address that the server listens on, and whether it uses TLS. `guard` may be NULL. */
void listen_log(const struct server *server, const struct guard *guard);

#endif
