/*
 * Targets from DNS: the addresses of a name with the configured port, or the hosts and ports of its SRV
 * records.
 *
 * Headless services of Kubernetes, Consul and docker compose publish their members this way. Every address or
 * record becomes a target (net/resolver, in contrast, looks for one server). Priority and weight of SRV
 * records are ignored: they help to choose one server, and the exporter wants all.
 *
 * Labels, named as in Prometheus: __meta_dns_name; for SRV also __meta_dns_srv_record_target, an absolute
 * name with its final dot, and __meta_dns_srv_record_port. The TTL of the records is reported; a TTL of 0
 * counts as no TTL. If the name does not exist or has no such record, the answer has no targets.
 */
#ifndef DISCOVERY_DNS_SD_H
#define DISCOVERY_DNS_SD_H

#include "discovery/discoverer.h"

discoverer_new_fn dns_sd_new;

#endif
