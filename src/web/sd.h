/*
 * The configured targets for Prometheus' http_sd_configs, as JSON
 * (https://prometheus.io/docs/prometheus/latest/http_sd/), written piece by piece.
 *
 *     [{"targets":["cache-1:11211","cache-2:11211"],"labels":{"team":"web","__meta_memcached_group":"web"}}]
 *
 * A target comes by its name as configured, with its labels but the one that names it, which Prometheus sets
 * itself. Behind them stand __meta_memcached_group, __meta_memcached_module and __param_module, so that a
 * scrape of /scrape only has to move __address__ to __param_target. Targets that follow each other with the
 * same labels share an entry.
 */
#ifndef WEB_SD_H
#define WEB_SD_H

#include "base/producer.h"
#include "base/slice.h"
#include "targets/target_set.h"

#include <stdbool.h>

struct sd_request {
    struct target_set *target_set;
    struct slice group;       /* only this one; data NULL for all. Borrowed for the call alone. */
    const char *target_label; /* likewise */
    bool with_modules;        /* the file says which module a group has */
};

/* Whether the target_set has a group of that name. */
bool sd_has_group(const struct target_set *target_set, struct slice name);

/* Holds the target_set until it is released. NULL when out of memory. */
struct producer *sd_producer(const struct sd_request *request);

#endif
