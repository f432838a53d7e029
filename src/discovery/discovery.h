/*
 * One source of targets, asked again and again: on its own timer with jitter, keeping the last good answer.
 *
 *     discovery_new -> ask -> [on_change] -> wait -> ask -> ...
 *
 * Between two questions it waits for the configured interval; without one, for the TTL that the source gave,
 * else for the default of its kind. A random tenth is added or taken off, so that many sources spread. After
 * a failure the last good answer stays in use and the source is asked again sooner: after 1 s, 2 s, 4 s, ...
 * at most the interval. The first failure after a success and the first success after a failure are logged.
 * The owner decides what to do with new and vanished targets.
 */
#ifndef DISCOVERY_DISCOVERY_H
#define DISCOVERY_DISCOVERY_H

#include "discovery/discovery_config.h"
#include "discovery/results.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct dns;
struct resolver;
struct limiter;
struct discovery;

/* What sources work with; borrowed, longer than they live. */
struct discovery_services {
    uv_loop_t *loop;
    struct dns *dns;
    struct resolver *resolver;
    struct limiter *limiter;
};

/*
 * Broken name servers may answer "no such name". So an answer without targets empties a source only if the
 * discoverer is sure of it, or after this many such answers in a row.
 */
#define DISCOVERY_EMPTY_MAX 10

struct discovery_state {
    const char *kind;    /* "dns" */
    const char *subject; /* what is asked: the name, the URL, the patterns joined by ',', the endpoint */
    bool answered;       /* a first answer or failure has come, so that the start need not wait any longer */
    size_t targets;      /* in the last good answer */
    bool empty;          /* the last answer named no target, whether it was taken or not */
    uint64_t refreshes, failures; /* answers since the start, and how many of them were failures */
    double last_success_s;        /* Unix time; 0 for never */
    char error[256];              /* of the last failure, cut to fit; "" after a success */
};

typedef void (*discovery_change_fn)(void *context);
typedef void (*discovery_close_fn)(void *context);

/*
 * 0, or a negative libuv code with one line in `error`. Strings of the configuration are copied. Asks at
 * once; on_change runs from the loop, inside no other call, when a first answer has come, also a failure, and
 * whenever other targets were found. It may close the discovery.
 */
int discovery_new(struct discovery **discovery, const struct discovery_services *services,
                  const struct discovery_config *config, discovery_change_fn on_change, void *context,
                  struct buffer *error);

/* The last good answer; empty before the first. Good until the next on_change or discovery_close. */
const struct results *discovery_found(const struct discovery *discovery);

/* Good until discovery_close. */
const struct discovery_state *discovery_state(const struct discovery *discovery);

/* Whether the source has exactly this configuration. If so, a reload keeps it and its targets. */
bool discovery_asks(const struct discovery *discovery, const struct discovery_config *config);

/* Ends it at any moment; on_close runs once, from the loop, and may be NULL. on_change runs no more. */
void discovery_close(struct discovery *discovery, discovery_close_fn on_close, void *context);

#endif
