/* libc parses the message. ns_initparse checks all bounds before a record is read. */
#include "net/dns_message.h"

#include <arpa/nameser.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define SRV_LEN 6 /* bytes of priority, weight and port, which precede the target */

static unsigned type_of(enum dns_type type)
{
    return type == DNS_A ? ns_t_a : type == DNS_AAAA ? ns_t_aaaa : ns_t_srv;
}

/* Reads an A or AAAA record. Returns false if its length is not that of an address. */
static bool read_address(const ns_rr *record, struct dns_records *records)
{
    union endpoint *endpoint = &records->endpoints[records->count++];
    bool v4 = ns_rr_type(*record) == ns_t_a;
    void *bytes = v4 ? (void *) &endpoint->v4.sin_addr : (void *) &endpoint->v6.sin6_addr;
    if (ns_rr_rdlen(*record) != (v4 ? sizeof(struct in_addr) : sizeof(struct in6_addr))) return false;
    endpoint->any.sa_family = v4 ? AF_INET : AF_INET6;
    memcpy(bytes, ns_rr_rdata(*record), ns_rr_rdlen(*record));
    return true;
}

/* Reads an SRV record. Returns false if it is malformed. The target must end where the record ends. */
static bool read_service(const ns_msg *message, const ns_rr *record, struct dns_records *records)
{
    struct dns_service *service = &records->services[records->count];
    const uint8_t *data = ns_rr_rdata(*record);
    char target[NS_MAXDNAME];
    if (ns_rr_rdlen(*record) <= SRV_LEN) return false;
    int len = ns_name_uncompress(ns_msg_base(*message), ns_msg_end(*message), data + SRV_LEN, target,
                                 sizeof(target));
    if (len != (int) ns_rr_rdlen(*record) - SRV_LEN) return false;
    if (strcmp(target, ".") == 0 || !target[0]) {
        records->no_service = true;
        return true;
    }
    service->port = (uint16_t) ns_get16(data + 4);
    memcpy(service->host, target, strnlen(target, sizeof(service->host) - 1));
    records->count++;
    return true;
}

/* Sets *ttl to the smaller of the two. A TTL with the highest bit set counts as 0 (RFC 2181, 8). */
static void shorten(uint32_t *ttl, uint32_t other)
{
    if (other > INT32_MAX) other = 0;
    if (other < *ttl) *ttl = other;
}

static int read_records(ns_msg *message, enum dns_type type, struct dns_records *records)
{
    int count = ns_msg_count(*message, ns_s_an);
    for (int i = 0; i < count; i++) {
        ns_rr record;
        if (ns_parserr(message, ns_s_an, i, &record) < 0) return UV_EPROTO;
        bool wanted = ns_rr_type(record) == type_of(type);
        if (ns_rr_class(record) != ns_c_in || (!wanted && ns_rr_type(record) != ns_t_cname)) continue;
        shorten(&records->ttl, ns_rr_ttl(record));
        if (!wanted) continue;
        if (!(type == DNS_SRV ? read_service(message, &record, records) : read_address(&record, records)))
            return UV_EPROTO;
    }
    return 0;
}

int dns_message_read(const uint8_t *bytes, size_t len, enum dns_type type, struct dns_records *records)
{
    ns_msg message;
    *records = (struct dns_records){.ttl = INT32_MAX};
    if (len > INT_MAX || ns_initparse(bytes, (int) len, &message) < 0) return UV_EPROTO;

    /*
     * ns_initparse has checked the number of records against the length of the message, so a false number
     * cannot allocate much memory.
     */
    size_t count = ns_msg_count(message, ns_s_an);
    void *array =
        calloc(count ? count : 1, type == DNS_SRV ? sizeof(*records->services) : sizeof(*records->endpoints));
    if (!array) return UV_ENOMEM;
    if (type == DNS_SRV)
        records->services = array;
    else
        records->endpoints = array;
    int status = read_records(&message, type, records);
    if (status == 0) return 0;
    free(array);
    *records = (struct dns_records){0};
    return status;
}
