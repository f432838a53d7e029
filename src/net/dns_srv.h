/* The SRV records of a DNS message. Pure; for dns.c. */
#ifndef NET_DNS_SRV_H
#define NET_DNS_SRV_H

#include "net/dns.h"

/*
 * Reads the answer section of a message (RFC 1035, 4.1; RFC 2782). 0 with the services in their order, which
 * the caller frees, and the shortest TTL in seconds of them and of the aliases on the way to them; none is no
 * error. A record whose target is the root says that there is no such service, and is left out. UV_EPROTO
 * for a message that is malformed or cut short, or UV_ENOMEM: then *services is NULL.
 */
int dns_srv_read(const uint8_t *message, size_t len, struct dns_service **services, size_t *count,
                 uint32_t *ttl);

#endif
