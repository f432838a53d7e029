#include "net/address_order.h"

#include "base/container.h"
#include "net/route.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#define SCOPE_LINK   2
#define SCOPE_SITE   5
#define SCOPE_GLOBAL 14

/* An address with the properties that the rules compare. IPv4 addresses are in IPv6-mapped form. */
struct ranked {
    union endpoint endpoint;
    struct in6_addr bytes;
    bool reachable; /* this host has a route to the address */
    bool same_scope, same_label;
    int scope, precedence;
    /*
     * Number of leading bits that the address has in common with its source address. 0 for IPv4, so that IPv4
     * addresses keep the order of the name server.
     */
    int common_bits;
    size_t place; /* position before the sort */
};

/* Default policy table (RFC 6724, 2.1), longest prefix first. */
static const struct {
    struct in6_addr prefix;
    int bits, precedence, label;
} policies[] = {
    {{{{[15] = 1}}}, 128, 50, 0},  {{{{[10] = 0xff, [11] = 0xff}}}, 96, 35, 4},
    {{{{0}}}, 96, 1, 3},           {{{{0x20, 0x01}}}, 32, 5, 5},
    {{{{0x20, 0x02}}}, 16, 30, 2}, {{{{0x3f, 0xfe}}}, 16, 1, 12},
    {{{{0xfe, 0xc0}}}, 10, 1, 11}, {{{{0xfc}}}, 7, 3, 13},
    {{{{0}}}, 0, 40, 1},
};

static int common_bits(const struct in6_addr *a, const struct in6_addr *b)
{
    int bits = 0;
    while (bits < 128 && !((a->s6_addr[bits / 8] ^ b->s6_addr[bits / 8]) & (0x80 >> bits % 8))) bits++;
    return bits;
}

static size_t policy_of(const struct in6_addr *bytes)
{
    size_t at = 0;
    while (common_bits(bytes, &policies[at].prefix) < policies[at].bits) at++;
    return at;
}

static struct in6_addr bytes_of(const union endpoint *endpoint)
{
    struct in6_addr bytes = {{{[10] = 0xff, [11] = 0xff}}};
    if (endpoint->any.sa_family == AF_INET6) return endpoint->v6.sin6_addr;
    memcpy(&bytes.s6_addr[12], &endpoint->v4.sin_addr, sizeof(endpoint->v4.sin_addr));
    return bytes;
}

static int scope_of(const struct in6_addr *bytes)
{
    if (IN6_IS_ADDR_V4MAPPED(bytes)) {
        const uint8_t *v4 = &bytes->s6_addr[12];
        return v4[0] == 127 || (v4[0] == 169 && v4[1] == 254) ? SCOPE_LINK : SCOPE_GLOBAL;
    }
    if (IN6_IS_ADDR_MULTICAST(bytes)) return bytes->s6_addr[1] & 0xf;
    if (IN6_IS_ADDR_LOOPBACK(bytes) || IN6_IS_ADDR_LINKLOCAL(bytes)) return SCOPE_LINK;
    return IN6_IS_ADDR_SITELOCAL(bytes) ? SCOPE_SITE : SCOPE_GLOBAL;
}

static void rank(struct ranked *ranked, const union endpoint *endpoint, size_t place)
{
    union endpoint source = {0};
    *ranked = (struct ranked){.endpoint = *endpoint, .bytes = bytes_of(endpoint), .place = place};
    size_t policy = policy_of(&ranked->bytes);
    ranked->scope = scope_of(&ranked->bytes);
    ranked->precedence = policies[policy].precedence;
    ranked->reachable = route_source(endpoint, &source);
    if (!ranked->reachable) return;
    struct in6_addr from = bytes_of(&source);
    ranked->same_scope = scope_of(&from) == ranked->scope;
    ranked->same_label = policies[policy_of(&from)].label == policies[policy].label;
    if (endpoint->any.sa_family == AF_INET6) ranked->common_bits = common_bits(&from, &ranked->bytes);
}

/* Compares by rules 1, 2, 5, 6, 8, 9 and 10 of RFC 6724. */
static int compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->reachable != b->reachable) return a->reachable ? -1 : 1;
    if (a->same_scope != b->same_scope) return a->same_scope ? -1 : 1;
    if (a->same_label != b->same_label) return a->same_label ? -1 : 1;
    if (a->precedence != b->precedence) return b->precedence - a->precedence;
    if (a->scope != b->scope) return a->scope - b->scope;
    if (a->common_bits != b->common_bits && a->endpoint.any.sa_family == b->endpoint.any.sa_family)
        return b->common_bits - a->common_bits;
    return a->place < b->place ? -1 : 1;
}

void address_order(union endpoint *endpoints, size_t count)
{
    struct ranked *ranked = count > 1 ? calloc(count, sizeof(*ranked)) : NULL;
    if (!ranked) return;
    for (size_t i = 0; i < count; i++) rank(&ranked[i], &endpoints[i], i);
    qsort(ranked, count, sizeof(*ranked), compare);
    for (size_t i = 0; i < count; i++) endpoints[i] = ranked[i].endpoint;
    free(ranked);
}
