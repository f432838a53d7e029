/*
 * Targets from the configuration endpoint of an Amazon ElastiCache cluster: its nodes, as cluster.h reads
 * them. Each question makes a connection of its own.
 *
 * A node becomes a target by its IP address if the endpoint gives one, else by its name. An address saves the
 * look-up for every connection, and it cannot point to another server between two answers. The label
 * __meta_elasticache_host keeps the name, __meta_elasticache_version has the version of the configuration.
 *
 * The endpoint may be answered by any node, and some node may lag behind. So an answer with a lower version
 * than the last one counts as a failure. After three refresh intervals with only such answers, the lower
 * version is accepted: the cluster was probably recreated, and its version starts at 1 again.
 */
#ifndef DISCOVERY_ELASTICACHE_H
#define DISCOVERY_ELASTICACHE_H

#include "discovery/discoverer.h"

/* From the name's look-up to the end of the reply, unless the configuration says otherwise. */
#define ELASTICACHE_TIMEOUT_MS 5000

discoverer_new_fn elasticache_new;

#endif
