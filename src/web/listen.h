/* Where the options have the server listen: addresses, or sockets that systemd has opened. */
#ifndef WEB_LISTEN_H
#define WEB_LISTEN_H

#include "base/buffer.h"
#include "cli/options.h"
#include "http/server.h"
#include "web/guard.h"

/* 0; or a negative libuv code with one line in `error`, without a line end: UV_EINVAL for a malformed
 * address. */
int listen_all(struct server *server, const struct options *options, struct buffer *error);

/* Lines of the log for each place: that it is listened to, and whether there is TLS. `guard` may be NULL. */
void listen_log(const struct server *server, const struct guard *guard);

#endif
