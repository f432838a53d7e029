/* Collector of memcached_exporter_build_info. */
#ifndef COLLECTORS_BUILD_H
#define COLLECTORS_BUILD_H

#include "metrics/collector.h"

extern const struct collector build_collector;

void build_walk(struct walk *walk);

#endif
