/* What is to be scraped, and how this exporter comes to know it: the configuration file, the sources. */
#ifndef COLLECTORS_INVENTORY_H
#define COLLECTORS_INVENTORY_H

#include "inventory.h"
#include "metrics/collector.h"
#include "reload.h"

#include <stddef.h>

extern const struct collector inventory_collector;

struct inventory_walk {
    struct walk walk;
    const struct inventory *inventory; /* borrowed */
    bool has_reload;                   /* something is told of the file */
    struct reload_state reload;
    const struct terms *terms; /* in force when the walk began; only to be compared */
    size_t family, source;     /* the next step: of that family, that source */
};

/* `reload` is copied, and may be NULL: then nothing is told of the file. */
void inventory_walk_init(struct inventory_walk *walk, const struct inventory *inventory,
                         const struct reload_state *reload);

#endif
