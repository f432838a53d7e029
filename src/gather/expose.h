/*
 * Writes a gather, and the exporter's own metrics, as an exposition.
 *
 *     expose -> fill, as often as the sink takes another piece -> release -> on_end
 *
 * Each piece is encoded when the sink asks for it, so the snapshots are held until the last byte.
 */
#ifndef GATHER_EXPOSE_H
#define GATHER_EXPOSE_H

#include "base/producer.h"
#include "cli/options.h"
#include "gather/gather.h"
#include "metrics/collector.h"

/* The collectors of the exporter's own metrics, in the order of the exposition. */
enum own_collector {
    OWN_MEMCACHED_PROCESS, /* of a pid file, if there is one */
    OWN_BUILD,
    OWN_TELEMETRY,
    OWN_TARGETS,
    OWN_PROCESS,
    OWN_COUNT,
};
#define OWN_BIT(own) (1u << (own))
#define OWN_ALL      (OWN_BIT(OWN_COUNT) - 1)

const struct collector *own_collector(enum own_collector own);

/* Those that the options leave on. */
unsigned own_collectors(const struct options *options);

/*
 * Checks the tables of all collectors: the first start after a fault was made there finds it. 0, or a
 * negative libuv code with a line in `error`.
 */
int expose_check(struct buffer *error);

/*
 * Makes the exposition of a gather that is done, in the form that the request wants, which may be another one
 * than that of the gather. Holds both until the producer is released; then on_end runs, inside that call.
 * NULL when out of memory: then on_end never runs.
 */
struct producer *expose(struct gather *gather, struct scrape_request *request, gather_fn on_end,
                        void *context);

#endif
