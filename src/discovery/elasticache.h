/*
 * Targets from the configuration endpoint of an Amazon ElastiCache cluster: the nodes that cluster.h parses.
 * Each question uses a new connection.
 *
 * A node becomes a target by its IP address if the endpoint gives one, otherwise by its name. An address
 * needs no look-up for each connection, and it cannot point to another server between two answers. The label
 * __meta_elasticache_host has the name, __meta_elasticache_version the version of the configuration.
 *
 * Any node may answer for the endpoint, and some node may lag behind. So an answer with a lower version than
 * the last one counts as a failure. After three refresh intervals with only such answers, the lower version
 * is accepted: the cluster was probably recreated, and its version starts at 1 again.
 */
#ifndef DISCOVERY_ELASTICACHE_H
#define DISCOVERY_ELASTICACHE_H

#include "discovery/discoverer.h"

/* Default time limit of a question, from the look-up of the name to the end of the reply. */
#define ELASTICACHE_TIMEOUT_MS 5000

discoverer_new_fn elasticache_new;

#endif
