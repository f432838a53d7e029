/*
 * Pushes or deletes one group of metrics at one Pushgateway: one request at a time, over a kept connection.
 * push.h does the scheduling, logging and counting.
 *
 * A body is streamed in chunks while the producer makes it, so that the exposition of a large fleet is never
 * in memory as a whole. (RFC 9112, section 7.1. Go's HTTP server, and so Pushgateway, accepts chunks.) If the
 * producer fails in the middle, or the time is over, the body ends within a line, and Pushgateway stores
 * nothing. The disadvantage: if a kept connection turns out to be dead, the request cannot be repeated
 * silently.
 *
 * Only http and https, HTTP/1.1, no redirects; certificates are always verified. The environment's
 * HTTP_PROXY, HTTPS_PROXY and NO_PROXY are honoured (net/proxy.h).
 */
#ifndef OUTPUTS_GATEWAY_H
#define OUTPUTS_GATEWAY_H

#include "base/producer.h"
#include "outputs/push_config.h"

#include <uv.h>

struct gateway;

/*
 * Reports the end of a request. `error` is NULL if the answer was 2xx. Otherwise it is one line for people,
 * valid during the call: what failed, or the status and the beginning of the gateway's answer.
 */
typedef void (*gateway_done_fn)(void *context, const char *error);

typedef void (*gateway_close_fn)(void *context);

/* What a peer is told besides the body. Static data. */
struct gateway_protocol {
    const char *const *headers; /* ended by NULL */
    bool by_group;              /* requests go to the URL of the group, else to that of the config */
};

/* A Pushgateway, which gets text format 0.0.4. */
extern const struct gateway_protocol gateway_of_groups;

/*
 * Returns 0, or a negative libuv code. `config` must have been checked. It is borrowed until the gateway is
 * closed.
 */
int gateway_new(struct gateway **gateway, uv_loop_t *loop, const struct push_config *config,
                const struct gateway_protocol *protocol, gateway_done_fn on_done, void *context);

/*
 * Both functions start a request; no other may be in progress. They return NULL: on_done runs once, from the
 * loop, unless the request is cancelled. Or they return an error for people, valid until the next call:
 * on_done never runs. gateway_push takes ownership of the producer in either case, and releases it before
 * on_done.
 */
const char *gateway_push(struct gateway *gateway, struct producer *producer);
const char *gateway_delete(struct gateway *gateway, uint64_t timeout_ms);

/* Starts a POST of a body that is known, as the two above do. Copies the body. */
const char *gateway_post(struct gateway *gateway, struct slice body);

/* Returns the HTTP status of the last answer; 0 if there was none. */
long gateway_status(const struct gateway *gateway);

/*
 * Returns for how many seconds the last answer asked to be left alone (Retry-After of 429 or 503); 0 if it
 * did not. The peer says it, so it may be years.
 */
uint64_t gateway_retry_after_s(const struct gateway *gateway);

/*
 * Cancels the current request, if there is one; on_done will not run. Must not be called from the producer.
 */
void gateway_cancel(struct gateway *gateway);

/* Cancels the current request and frees the gateway. on_close runs once, from the loop. */
void gateway_close(struct gateway *gateway, gateway_close_fn on_close, void *context);

#endif
