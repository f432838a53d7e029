/*
 * A gather polls the targets of a scrape request and keeps their snapshots.
 *
 *     gather_start -> fan-out (all targets, one deadline) -> on_done -> expose, ... -> gather_release
 *
 * A gather does not depend on a format; gather/expose writes the exposition.
 */
#ifndef GATHER_GATHER_H
#define GATHER_GATHER_H

#include "collectors/telemetry.h"
#include "gather/scrape_request.h"
#include "memcached/fan_out.h"

#include <stddef.h>
#include <stdint.h>

typedef void (*gather_fn)(void *context);

/* Reference-counted. The fields may be read after on_done. */
struct gather {
    unsigned references;
    struct scrape_request *request; /* owned reference */
    struct telemetry *telemetry;    /* borrowed */
    struct fan_out *fan_out;        /* owned; NULL in a gather that polls no target */
    size_t targets, up;             /* number of targets polled, and number of these that are up */
    uint64_t started_ns;
    gather_fn on_done;
    void *context;
};

/*
 * Takes a reference to the request and polls its targets. Returns 0 and one reference. on_done then runs
 * once, from the loop, never inside this call; it does not run if the gather is released before. Or returns a
 * negative libuv code; on_done then never runs.
 */
int gather_start(struct gather **gather, struct scrape_request *request, struct fleet *fleet,
                 struct telemetry *telemetry, gather_fn on_done, void *context);

/* Makes a finished gather that polls no target. Returns NULL when out of memory. */
struct gather *gather_nothing(struct scrape_request *request, struct telemetry *telemetry);

struct gather *gather_hold(struct gather *gather);

/*
 * Releases a reference; `gather` may be NULL. Releasing the last reference cancels polls that are still
 * running.
 */
void gather_release(struct gather *gather);

/*
 * Returns the snapshot if there is exactly one target. Returns NULL otherwise, or if the target could not be
 * polled for lack of memory.
 */
const struct snapshot *gather_only(const struct gather *gather);

#endif
