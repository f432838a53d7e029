/* Parses the records of a DNS message. Pure; used by dns.c. */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "net/dns.h"

/* Records of one type, in the order of the message. The caller frees the array. */
struct dns_records {
    union endpoint *endpoints;    /* for DNS_A or DNS_AAAA; port is 0 */
    struct dns_service *services; /* for DNS_SRV */
    size_t count;
    uint32_t ttl; /* shortest TTL of the records and of the aliases that lead to them, in seconds */
    /*
     * True if the domain states that it does not offer the service: an SRV record has the root as its target
     * (RFC 2782).
     */
    bool no_service;
};

/*
 * Parses the answer section of a message (RFC 1035, 4.1). `type` is DNS_A, DNS_AAAA or DNS_SRV. Returns 0,
 * even if there are no records. Returns UV_EPROTO for a malformed or truncated message, or UV_ENOMEM;
 * `records` is then empty.
 */
int dns_message_read(const uint8_t *message, size_t len, enum dns_type type, struct dns_records *records);

#endif
