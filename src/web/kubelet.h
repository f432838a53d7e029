/*
 * Kubelets that probe the metrics of the exporter to see whether it lives: they are answered from what was
 * gathered last, and no memcached is asked for them.
 *
 * The gather of a scrape is kept only while probes come, and only until it is older than the scrape interval
 * that the exporter sees. Without a young one, a probe is answered with the exporter's own metrics.
 */
#ifndef WEB_KUBELET_H
#define WEB_KUBELET_H

#include "gather/gather.h"
#include "http/request.h"

#include <stdbool.h>
#include <stdint.h>

/* Initialised with zeros. All times are of one clock, in ns. */
struct kubelet {
    struct gather *last;  /* of the configured targets; held, or NULL */
    uint64_t gathered_ns; /* when `last` was done */
    uint64_t scraped_ns;  /* when a scrape of the configured targets last began; 0 for never */
    uint64_t interval_ns; /* between the last two of them; 0 if not known */
    uint64_t probed_ns;   /* when a probe last came; 0 for never */
};

bool kubelet_asks(const struct request *request);

/* To be called when a scrape of the configured targets begins that is not a probe. */
void kubelet_observe(struct kubelet *kubelet, uint64_t now_ns);

/* That scrape has gathered: holds the gather if probes come. */
void kubelet_keep(struct kubelet *kubelet, struct gather *gather, uint64_t now_ns);

/* What a probe is answered from: one reference for the caller. NULL when out of memory. */
struct gather *kubelet_gather(struct kubelet *kubelet, struct scrape_request *request,
                              struct telemetry *telemetry, uint64_t now_ns);

/* Releases the last gather. Called when other targets are configured, and when the exporter stops. */
void kubelet_forget(struct kubelet *kubelet);

#endif
