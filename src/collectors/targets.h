/*
 * Collector of metrics about the target list: the configuration file, the sources and what they have found.
 */
#ifndef COLLECTORS_TARGETS_H
#define COLLECTORS_TARGETS_H

#include "metrics/collector.h"
#include "targets/manager.h"
#include "targets/reload.h"

#include <stddef.h>

extern const struct collector targets_collector;

struct manager_walk {
    struct walk walk;
    const struct manager *manager; /* borrowed */
    bool has_reload;               /* true if the metrics of the file are written */
    struct reload_state reload;
    unsigned long generation; /* number of the active generation when the walk began */
    size_t family, source;    /* next step: index of the family, and of the source */
};

/* Starts a walk. `reload` is copied. If it is NULL, the metrics of the file are left out. */
void manager_walk_init(struct manager_walk *walk, const struct manager *manager,
                       const struct reload_state *reload);

#endif
