/* The records of a DNS message. Pure; for dns.c. */
#ifndef NET_DNS_MESSAGE_H
#define NET_DNS_MESSAGE_H

#include "net/dns.h"

/* The records of one type, in the order of the message. The array is the caller's to free. */
struct dns_records {
    union endpoint *endpoints;    /* of DNS_A or DNS_AAAA, with port 0 */
    struct dns_service *services; /* of DNS_SRV */
    size_t count;
    uint32_t ttl; /* the shortest one, in seconds, of the records and of the aliases on the way to them */
    bool
        no_service; /* an SRV record whose target is the root says that there is no such service (RFC 2782) */
};

/*
 * Reads the answer section of a message (RFC 1035, 4.1). `type` is DNS_A, DNS_AAAA or DNS_SRV. 0, also when
 * there are no records; UV_EPROTO for a message that is malformed or cut short, or UV_ENOMEM: then nothing is
 * allocated.
 */
int dns_message_read(const uint8_t *message, size_t len, enum dns_type type, struct dns_records *records);

#endif
