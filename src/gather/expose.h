/*
 * Writes the exposition of a gather, together with the exporter's own metrics.
 *
 *     expose -> fill, once for each piece that the reader wants -> release -> on_end
 *
 * Each piece is encoded when the reader asks for it, so the snapshots are kept until the last byte.
 */
#ifndef GATHER_EXPOSE_H
#define GATHER_EXPOSE_H

#include "base/producer.h"
#include "cli/options.h"
#include "gather/gather.h"
#include "metrics/collector.h"

/* Collectors of the exporter's own metrics, in the order of the exposition. */
enum own_collector {
    OWN_MEMCACHED_PROCESS, /* used if there is a pid file */
    OWN_WATCH,             /* used if servers are watched */
    OWN_BUILD,
    OWN_TELEMETRY,
    OWN_TARGETS,
    OWN_PROCESS,
    OWN_COUNT,
};
#define OWN_BIT(own) (1u << (own))
#define OWN_ALL      (OWN_BIT(OWN_COUNT) - 1)

const struct collector *own_collector(enum own_collector own);

/* Returns the set of collectors that the options do not turn off. */
unsigned own_collectors(const struct options *options);

/*
 * Checks the tables of all collectors, so that a mistake in a table shows at the next start. Returns 0, or a
 * negative libuv code with a line in `error`.
 */
int expose_check(struct buffer *error);

/*
 * Makes the exposition of a finished gather in the format of `request`, which may differ from the gather's
 * own request. Takes references to both, until the producer is released. on_end then runs inside that call.
 * Returns NULL when out of memory; on_end then never runs.
 */
struct producer *expose(struct gather *gather, struct scrape_request *request, gather_fn on_end,
                        void *context);

#endif
