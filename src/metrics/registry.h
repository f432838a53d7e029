/* The list of collectors, in the order of the exposition. Checks each collector at registration. */
#ifndef METRICS_REGISTRY_H
#define METRICS_REGISTRY_H

#include "base/buffer.h"
#include "metrics/collector.h"

#include <stddef.h>

struct registry {
    const struct collector *collectors[EXPOSITION_WALKS_MAX]; /* borrowed */
    size_t count;
};

void registry_init(struct registry *registry);

/*
 * Checks and registers a collector. Each family must be well-formed. No other family may store samples under
 * the same name, such as x_count of a histogram x and a counter x_count. The constant labels must differ from
 * the families' own labels. Returns 0, UV_EINVAL or UV_ENOMEM. After a failure nothing is registered. After
 * UV_EINVAL, `error` has one line that names the collector, the family and the fault.
 */
int registry_add(struct registry *registry, const struct collector *collector, struct buffer *error);

#endif
