/*
 * The interface between discovery.c and the kinds of sources (DNS, files, a URL, ElastiCache). Private to
 * discovery/.
 *
 * A discoverer asks its source once for each call of `ask`. discovery.c treats all kinds alike: it does the
 * timing and the retries, and keeps the last good answer.
 *
 *     new -> ask -> [on_done] -> ask -> [on_done] -> ... -> close -> [on_close]
 *
 * The owner sets the callbacks between new and the first ask. It asks again only after the last question is
 * answered. It calls all functions from the loop, so on_done and on_close may run inside ask and close.
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

/* The outcome of one question. Borrowed for the call. */
struct discovery_answer {
    /*
     * The results, or NULL for a failure and for an unchanged answer. The owner may take the content and
     * leave the struct empty, as after results_init; the struct itself belongs to the discoverer.
     */
    struct results *found;
    bool unchanged; /* `found` is NULL because the answer equals the last one */
    /*
     * One line about a failure: what was asked, what was wrong, what was expected. Together with `found`, it
     * describes a partial failure: why `found` is empty, or which part of it is older. The results in `found`
     * are used nevertheless.
     */
    const char *error;
    bool empty_counts; /* `found` is empty, and the source is sure that there are no targets */
    uint64_t ttl_ms;   /* how long the answer is valid according to the source; 0: not known */
};

/*
 * Reports the answer, and ends the question. The owner neither asks nor closes the discoverer inside this
 * callback.
 */
typedef void (*discoverer_done_fn)(struct discoverer *discoverer, const struct discovery_answer *answer);
typedef void (*discoverer_nudge_fn)(struct discoverer *discoverer);
typedef void (*discoverer_close_fn)(struct discoverer *discoverer);

struct discoverer_kind {
    const char *name;            /* "dns", "file_sd", ...: for labels of metrics and for logs */
    uint64_t default_refresh_ms; /* interval, unless the configuration or a TTL gives another */
    bool empty_is_failure;       /* distrusts answers without targets, see DISCOVERY_EMPTY_MAX */

    /*
     * Returns 0: on_done runs exactly once, unless the discoverer is closed before. Returns a negative libuv
     * code: on_done never runs; the owner treats this as a failed answer.
     */
    int (*ask)(struct discoverer *discoverer);

    /*
     * Cancels the current question and releases everything. on_close runs once; on_done and on_nudge no
     * longer run.
     */
    void (*close)(struct discoverer *discoverer);
};

/* Embedded in each kind's own struct. The owner sets all fields except `kind`. */
struct discoverer {
    const struct discoverer_kind *kind;
    discoverer_done_fn on_done;
    discoverer_nudge_fn on_nudge; /* the answer has probably changed; ask soon */
    discoverer_close_fn on_close; /* called last, before the discoverer frees itself */
    void *owner;
};

/*
 * Allocates a discoverer; asks nothing yet. Services and config are borrowed until on_close. Returns 0, or a
 * negative libuv code with one line in `error`. The header of each kind declares one function of this type:
 * dns_sd_new, file_sd_new, ...
 */
typedef int discoverer_new_fn(struct discoverer **discoverer, const struct discovery_services *services,
                              const struct discovery_config *config, struct buffer *error);

/* Allocates a discoverer of the configured kind. */
discoverer_new_fn discoverer_new;

#endif
