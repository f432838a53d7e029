/*
 * The list of collectors, in the order of the exposition. Each is checked when it is registered.
 */
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
 * Registers a collector if each of its families is well-formed, if no name under which its samples are stored
 * is taken by another family (x_count of a histogram and a counter x_count), and if its constant labels and
 * its families' own labels differ. Returns 0, or UV_EINVAL with one line in `error` that names collector,
 * family and fault, or UV_ENOMEM; nothing is registered then.
 */
int registry_add(struct registry *registry, const struct collector *collector, struct buffer *error);

#endif
