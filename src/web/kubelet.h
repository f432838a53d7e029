/*
 * Answers a kubelet that uses /metrics as a liveness probe. A probe is answered from the last gather and asks
 * no memcached.
 *
 * The gather of a scrape is kept only while probes come. It is dropped when it is older than the interval
 * between scrapes. Without a recent gather, a probe is answered with the exporter's own metrics.
 */
#ifndef WEB_KUBELET_H
#define WEB_KUBELET_H

#include "gather/gather.h"
#include "http/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Starts zeroed. All times come from the same clock, in ns. */
struct kubelet {
    struct gather *last;  /* last gather of the configured targets; holds a reference; NULL for none */
    uint64_t gathered_ns; /* time when `last` was complete */
    uint64_t scraped_ns;  /* time when the last scrape of the configured targets began; 0 for never */
    uint64_t interval_ns; /* time between the beginnings of the last two scrapes; 0 if not known */
    uint64_t probed_ns;   /* time of the last probe; 0 for never */
};

bool kubelet_asks(const struct request *request);

/* Notes the beginning of a scrape of the configured targets. Not for probes. */
void kubelet_observe(struct kubelet *kubelet, uint64_t now_ns);

/* Keeps a reference to the complete gather of that scrape, if probes come. */
void kubelet_keep(struct kubelet *kubelet, struct gather *gather, uint64_t now_ns);

/*
 * Returns the gather to answer a probe from, with a reference for the caller. Returns NULL when out of
 * memory.
 */
struct gather *kubelet_gather(struct kubelet *kubelet, struct scrape_request *request,
                              struct telemetry *telemetry, uint64_t now_ns);

/* Releases the last gather. Call it when the configured targets change and when the exporter stops. */
void kubelet_forget(struct kubelet *kubelet);

#endif
