/* The collector of metrics about the target list: the configuration file, the sources and what they found. */
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
    bool has_reload;               /* the metrics of the file are exposed */
    struct reload_state reload;
    unsigned long generation; /* the number of the one in force when the walk began */
    size_t family, source;    /* the next step: of that family, that source */
};

/* `reload` is copied, and may be NULL: then the metrics of the file are left out. */
void manager_walk_init(struct manager_walk *walk, const struct manager *manager,
                       const struct reload_state *reload);

#endif
