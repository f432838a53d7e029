/* What this exporter says of itself: its build. */
#ifndef COLLECTORS_EXPORTER_H
#define COLLECTORS_EXPORTER_H

#include "metrics/collector.h"

#include <stdbool.h>

struct exporter_collector {
    struct collector collector;
};

void exporter_collector_init(struct exporter_collector *exporter);

#endif
