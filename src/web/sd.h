/*
 * Lists the configured targets for Prometheus' http_sd_configs, as JSON
 * (https://prometheus.io/docs/prometheus/latest/http_sd/), written piece by piece.
 *
 *     [{"targets":["cache-1:11211","cache-2:11211"],"labels":{"team":"web","__meta_memcached_group":"web"}}]
 *
 * A target has its configured name and all its labels except the label that holds the name. Prometheus sets
 * that label itself. The labels __meta_memcached_group, __meta_memcached_module and __param_module are added.
 * So a scrape of /scrape only needs a rule that copies __address__ to __param_target. Neighbouring targets
 * with the same labels share an entry.
 */
#ifndef WEB_SD_H
#define WEB_SD_H

#include "base/producer.h"
#include "base/slice.h"
#include "targets/target_set.h"

#include <stdbool.h>

struct sd_request {
    struct target_set *target_set;
    struct slice group; /* name of the only group to list; data NULL for all groups; borrowed for the call */
    const char *target_label; /* name of the label that holds the target's name; borrowed for the call */
    bool with_modules;        /* add the labels with the module of the group */
};

/* Returns true if the target set has a group of that name. */
bool sd_has_group(const struct target_set *target_set, struct slice name);

/*
 * Creates a producer of the JSON text. It holds a reference to the target set until its release. Returns NULL
 * when out of memory.
 */
struct producer *sd_producer(const struct sd_request *request);

#endif
