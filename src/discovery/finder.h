/*
 * The way in which one kind of source is asked: what discovery.c knows of it. Private to discovery/.
 *
 * A finder asks once each time it is told to. When, how often, and what becomes of a failure is the business
 * of discovery.c, so that every source keeps its last good answer and is counted in the same way.
 *
 *     new -> ask -> [on_done] -> ask -> [on_done] -> ... -> close -> [on_close]
 *
 * Its owner sets the callbacks between new and the first ask, asks only when the last question is answered,
 * and always from the loop; so on_done and on_close may run inside ask and close.
 */
#ifndef DISCOVERY_FINDER_H
#define DISCOVERY_FINDER_H

#include "discovery/found.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct buffer;
struct discovery_config;
struct discovery_services;
struct finder;

/* One question has been answered. Borrowed for the call. */
struct finding {
    /*
     * What was found, or NULL: it failed, or nothing has changed since the last answer. Its content may be
     * taken over: it is then left empty, as by found_init, and the struct itself stays the finder's.
     */
    struct found *found;
    bool unchanged; /* found is NULL because the answer is the last one */
    /*
     * One line, of a failure: what was asked, what was wrong, what was expected. Beside a `found` it says why
     * that is empty or which part of it is an older answer: a failure all the same, but what was found
     * counts.
     */
    const char *error;
    uint64_t ttl_ms; /* how long the source says that it holds; 0: it does not say */
};

/* The last that a finder does with an answer: it is neither asked nor closed from within. */
typedef void (*finder_done_fn)(struct finder *finder, const struct finding *finding);
typedef void (*finder_nudge_fn)(struct finder *finder);
typedef void (*finder_close_fn)(struct finder *finder);

struct finder_kind {
    const char *name;            /* "dns", "file_sd", ...: label of metrics, word in logs */
    uint64_t default_refresh_ms; /* between two questions, unless the configuration or a TTL says otherwise */
    bool empty_is_failure;       /* an answer without targets is no answer: the last one is kept */

    /*
     * 0: on_done runs exactly once, unless the finder is closed before. Negative libuv code: never; that is
     * a failure like others.
     */
    int (*ask)(struct finder *finder);

    /* Ends what is under way and releases all. on_close runs once; on_done and on_nudge no more. */
    void (*close)(struct finder *finder);
};

/* Embedded in each kind's own struct; all but `kind` is set by the owner. */
struct finder {
    const struct finder_kind *kind;
    finder_done_fn on_done;
    finder_nudge_fn on_nudge; /* the source has reason to think that the answer has changed; ask soon */
    finder_close_fn on_close; /* the last that a finder calls, still whole; then it frees itself */
    void *owner;
};

/*
 * Allocates a finder and asks nothing yet; services and config are borrowed for its life. 0, or a negative
 * libuv code with one line in `error`. Each kind's header has one of this type: dns_sd_new, file_sd_new, ...
 */
typedef int finder_new_fn(struct finder **finder, const struct discovery_services *services,
                          const struct discovery_config *config, struct buffer *error);

/* The one of the configured kind. */
finder_new_fn finder_new;

#endif
