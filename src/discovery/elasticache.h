/*
 * Targets from the configuration endpoint of an Amazon ElastiCache cluster: its nodes, as cluster.h reads
 * them. Each question makes a connection of its own.
 *
 * A node's target is its IP address if there is one, else its name: the address saves a look-up for every
 * connection, and cannot come to mean another server between two answers. The label __meta_elasticache_host
 * keeps the name, __meta_elasticache_version has the version of the configuration.
 *
 * The endpoint is a name for all nodes, of which one may lag behind: an answer whose version is lower than
 * the last one is a failure. When nothing but such answers has come for three refresh intervals, it is taken
 * all the same: the cluster has been made anew, and counts from 1 again.
 */
#ifndef DISCOVERY_ELASTICACHE_H
#define DISCOVERY_ELASTICACHE_H

#include "discovery/discoverer.h"

/* From the name's look-up to the end of the reply, unless the configuration says otherwise. */
#define ELASTICACHE_TIMEOUT_MS 5000

discoverer_new_fn elasticache_new;

#endif
