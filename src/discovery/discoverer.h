/*
 * The interface between discovery.c and the kinds of sources (DNS, files, a URL, ElastiCache). Private to
 * discovery/.
 *
 * A discoverer asks its source once for each call of `ask`. The timing, the retries and the last good answer
 * belong to discovery.c, which treats all kinds alike.
 *
 *     new -> ask -> [on_done] -> ask -> [on_done] -> ... -> close -> [on_close]
 *
 * Its owner sets the callbacks between new and the first ask, asks only when the last question is answered,
 * and always from the loop; so on_done and on_close may run inside ask and close.
 */
#ifndef DISCOVERY_DISCOVERER_H
#define DISCOVERY_DISCOVERER_H

#include "discovery/results.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct buffer;
struct discovery_config;
struct discovery_services;
struct discoverer;

/* One question has been answered. Borrowed for the call. */
struct discovery_answer {
    /*
     * The results, or NULL for a failure and for an unchanged answer. The owner may take the content and
     * leave the struct empty, as after results_init; the struct itself belongs to the discoverer.
     */
    struct results *found;
    bool unchanged; /* found is NULL because the answer is the last one */
    /*
     * One line about a failure: what was asked, what was wrong, what was expected. With `found` set, it is a
     * partial failure: it says why `found` is empty, or which part of it is older; the results count all the
     * same.
     */
    const char *error;
    bool empty_counts; /* `found` is empty, and the source is sure that there are no targets */
    uint64_t ttl_ms;   /* how long the source says that it holds; 0: it does not say */
};

/* The last that a discoverer does with an answer: it is neither asked nor closed from within. */
typedef void (*discoverer_done_fn)(struct discoverer *discoverer, const struct discovery_answer *answer);
typedef void (*discoverer_nudge_fn)(struct discoverer *discoverer);
typedef void (*discoverer_close_fn)(struct discoverer *discoverer);

struct discoverer_kind {
    const char *name;            /* "dns", "file_sd", ...: label of metrics, word in logs */
    uint64_t default_refresh_ms; /* between two questions, unless the configuration or a TTL says otherwise */
    bool
        empty_is_failure; /* an answer without targets is none, until DISCOVERY_EMPTY_MAX of them have come */

    /*
     * 0: on_done runs exactly once, unless the discoverer is closed before. Negative libuv code: never; that
     * is a failure like others.
     */
    int (*ask)(struct discoverer *discoverer);

    /* Ends what is under way and releases all. on_close runs once; on_done and on_nudge no more. */
    void (*close)(struct discoverer *discoverer);
};

/* Embedded in each kind's own struct; all but `kind` is set by the owner. */
struct discoverer {
    const struct discoverer_kind *kind;
    discoverer_done_fn on_done;
    discoverer_nudge_fn on_nudge; /* the answer has probably changed; ask soon */
    discoverer_close_fn on_close; /* the last that a discoverer calls, still whole; then it frees itself */
    void *owner;
};

/*
 * Allocates a discoverer and asks nothing yet; services and config are borrowed for its life. 0, or a
 * negative libuv code with one line in `error`. Each kind's header has one of this type: dns_sd_new,
 * file_sd_new, ...
 */
typedef int discoverer_new_fn(struct discoverer **discoverer, const struct discovery_services *services,
                              const struct discovery_config *config, struct buffer *error);

/* The one of the configured kind. */
discoverer_new_fn discoverer_new;

#endif
