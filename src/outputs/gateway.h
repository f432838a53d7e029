/*
 * Pushes or deletes one group of metrics at one Pushgateway: one request at a time, over a kept connection.
 * Schedule, log and counts belong to push.h.
 *
 * A body is streamed as the producer makes it, in chunks (RFC 9112, section 7.1; Go's HTTP server, and so
 * Pushgateway, takes them), so that the exposition of a large fleet is never in memory as a whole. If the
 * producer fails in the middle, or the time is over, the body ends within a line, and Pushgateway stores
 * nothing of it. The price: when a kept connection turns out to be dead, the request cannot be repeated
 * silently.
 *
 * Only http and https, HTTP/1.1, no redirects, certificates are always verified. The environment's
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured (net/proxy.h).
 */
#ifndef OUTPUTS_GATEWAY_H
#define OUTPUTS_GATEWAY_H

#include "base/producer.h"
#include "outputs/push_config.h"

#include <uv.h>

struct gateway;

/*
 * NULL: the answer was 2xx. Otherwise one line for people, valid during the call: what failed, or the status
 * and the beginning of the gateway's answer.
 */
typedef void (*gateway_done_fn)(void *context, const char *error);

typedef void (*gateway_close_fn)(void *context);

/* 0, or a negative libuv code. The config has been checked; it is borrowed until the gateway is closed. */
int gateway_new(struct gateway **gateway, uv_loop_t *loop, const struct push_config *config,
                gateway_done_fn on_done, void *context);

/*
 * Starts a request; none may be under way. NULL: on_done runs once, from the loop, unless it is cancelled. An
 * error for people, good until the next call: never. The producer is taken over in either case, and released
 * before on_done.
 */
const char *gateway_push(struct gateway *gateway, struct producer *producer);
const char *gateway_delete(struct gateway *gateway, uint64_t timeout_ms);

/* Ends what is under way, if anything; on_done will not run. Not from within the producer. */
void gateway_cancel(struct gateway *gateway);

/* Cancels, and frees it; on_close runs once, from the loop. */
void gateway_close(struct gateway *gateway, gateway_close_fn on_close, void *context);

#endif
