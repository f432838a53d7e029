/*
 * One source of targets, asked repeatedly on its own timer. Keeps the last good answer.
 *
 *     discovery_new -> ask -> [on_change] -> wait -> ask -> ...
 *
 * Between two questions it waits for the configured interval. Without one, it waits for the TTL that the
 * source gave, or for the default of its kind. Up to a tenth is added or subtracted at random, so that many
 * sources are not asked at once. After a failure the last good answer stays in use, and the source is asked
 * again sooner: after 1 s, 2 s, 4 s, ... at most the interval. The first failure after a success and the
 * first success after a failure are logged. The owner decides what to do with new and vanished targets.
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

/* Services that sources use. Borrowed; they must outlive all sources. */
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
    const char *kind;             /* for example "dns" */
    const char *subject;          /* the name, the URL, the patterns joined by ',', or the endpoint */
    bool answered;                /* a first answer or failure has come; the start need not wait any longer */
    size_t targets;               /* number of targets in use, from the last good answer */
    bool empty;                   /* the last answer had no target, whether it was accepted or not */
    uint64_t refreshes, failures; /* answers since the start, and how many of them were failures */
    double last_success_s;        /* Unix time; 0: never */
    char error[256];              /* error of the last failure, cut to fit; "" after a success */
};

typedef void (*discovery_change_fn)(void *context);
typedef void (*discovery_close_fn)(void *context);

/*
 * Creates a source and asks at once. Copies the strings of `config`. Returns 0, or a negative libuv code with
 * one line in `error`. on_change runs after the first answer or failure, and whenever other targets were
 * found. It runs from the loop, inside no other call, and may close the discovery.
 */
int discovery_new(struct discovery **discovery, const struct discovery_services *services,
                  const struct discovery_config *config, discovery_change_fn on_change, void *context,
                  struct buffer *error);

/* Returns the last good answer; empty before the first. Valid until the next on_change or discovery_close. */
const struct results *discovery_found(const struct discovery *discovery);

/* Returns the state. Valid until discovery_close. */
const struct discovery_state *discovery_state(const struct discovery *discovery);

/*
 * Returns true if the source has exactly this configuration. A reload then keeps the source and its targets.
 */
bool discovery_asks(const struct discovery *discovery, const struct discovery_config *config);

/*
 * Ends the discovery at any moment. on_close runs once, from the loop; it may be NULL. on_change no longer
 * runs.
 */
void discovery_close(struct discovery *discovery, discovery_close_fn on_close, void *context);

#endif
