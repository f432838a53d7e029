/*
 * One gather: polls the targets of a scrape request and holds their snapshots.
 *
 *     gather_start -> fan-out (all targets, one deadline) -> on_done -> expose, ... -> gather_release
 *
 * The format of the result does not matter here: gather/expose writes the exposition.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "collectors/telemetry.h"
#include "gather/scrape_request.h"
#include "memcached/fan_out.h"

#include <stddef.h>
#include <stdint.h>

typedef void (*gather_fn)(void *context);

/* Counted. The fields may be read after on_done. */
struct gather {
    unsigned references;
    struct scrape_request *request; /* held */
    struct telemetry *telemetry;    /* borrowed */
    struct fan_out *fan_out;        /* owned; NULL in a gather that asks nobody */
    size_t targets, up;             /* how many were polled, and how many of these are up */
    uint64_t started_ns;
    gather_fn on_done;
    void *context;
};

/*
 * Holds the request, and polls its targets. 0 and one reference: on_done runs once, from the loop, never
 * inside this call, unless the gather is released before. Negative libuv code: never.
 */
int gather_start(struct gather **gather, struct scrape_request *request, struct fleet *fleet,
                 struct telemetry *telemetry, gather_fn on_done, void *context);

/* A gather that is done and asks nobody. NULL when out of memory. */
struct gather *gather_nothing(struct scrape_request *request, struct telemetry *telemetry);

struct gather *gather_hold(struct gather *gather);

/* The last one gives up the polls that are under way. NULL is taken. */
void gather_release(struct gather *gather);

/*
 * The snapshot of the only target. NULL if there are several targets, or if it could not be polled for lack
 * of memory.
 */
const struct snapshot *gather_only(const struct gather *gather);

#endif
