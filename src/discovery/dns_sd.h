/*
 * Targets from DNS: the addresses of a name with the configured port, or the hosts and ports of its SRV
 * records.
 *
 * Headless services of Kubernetes, Consul and docker compose speak this. Each address and each record becomes
 * a target, while net/resolver looks for one server of a name. Priority and weight of SRV records are not
 * heeded: they choose one of many, and here all are wanted.
 *
 * Labels, named as in Prometheus: __meta_dns_name; for SRV also __meta_dns_srv_record_target, an absolute
 * name with its final dot, and __meta_dns_srv_record_port. The TTL of the records is reported; one of 0 is as
 * if there were none. A name that is not there, or has no such record, is an answer without targets.
 */
#ifndef DISCOVERY_DNS_SD_H
#define DISCOVERY_DNS_SD_H

#include "discovery/discoverer.h"

discoverer_new_fn dns_sd_new;

#endif
