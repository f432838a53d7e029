#include "net/network.h"

#include "base/container.h"
#include "base/number.h"

#include <arpa/inet.h>
#include <string.h>

#define MAPPED(a, b, c, d, len)                                                                              \
    {                                                                                                        \
        {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d}}}, NETWORK_MAPPED_BITS + (len)              \
    }

static const struct network metadata_networks[] = {
    MAPPED(169, 254, 169, 254, 32),     MAPPED(169, 254, 170, 2, 32),
    MAPPED(169, 254, 170, 23, 32),      MAPPED(168, 63, 129, 16, 32),
    MAPPED(192, 0, 0, 192, 32),         MAPPED(100, 100, 100, 200, 32),
    {{{{0xfd, 0x00, 0x0e, 0xc2}}}, 32}, {{{{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, 0x54}}}, 128},
};
static const struct network private_networks[] = {
    MAPPED(10, 0, 0, 0, 8),       MAPPED(172, 16, 0, 0, 12), MAPPED(192, 168, 0, 0, 16),
    MAPPED(100, 64, 0, 0, 10),    MAPPED(127, 0, 0, 0, 8),   {{{{0xfc}}}, 7},
    {IN6ADDR_LOOPBACK_INIT, 128},
};
static const struct network loopback_networks[] = {MAPPED(127, 0, 0, 0, 8), {IN6ADDR_LOOPBACK_INIT, 128}};
static const struct network link_local_networks[] = {MAPPED(169, 254, 0, 0, 16), {{{{0xfe, 0x80}}}, 10}};
static const struct network multicast_networks[] = {MAPPED(224, 0, 0, 0, 4), {{{{0xff}}}, 8}};
static const struct network broadcast_networks[] = {MAPPED(255, 255, 255, 255, 32)};
static const struct network unspecified_networks[] = {MAPPED(0, 0, 0, 0, 8), {IN6ADDR_ANY_INIT, 128}};

#define WORD(name, of, list)                                                                                 \
    {                                                                                                        \
        name, of, list, ARRAY_LEN(list)                                                                      \
    }

/* All lists. A more specific list precedes a general one: most metadata addresses are also link-local. */
static const struct network_list lists[] = {
    WORD("metadata", "a metadata address of a cloud", metadata_networks),
    WORD("link-local", "a link-local address", link_local_networks),
    WORD(NULL, "a multicast address", multicast_networks),
    WORD(NULL, "the broadcast address", broadcast_networks),
    WORD(NULL, "the unspecified address", unspecified_networks),
    WORD("private", NULL, private_networks),
    WORD("loopback", NULL, loopback_networks),
};

/* Pairs of IPv4 and IPv6 networks with the same meaning. */
static const struct network pairs[][2] = {
    {MAPPED(0, 0, 0, 0, 0), {IN6ADDR_ANY_INIT, 0}},
    {MAPPED(127, 0, 0, 0, 8), {IN6ADDR_LOOPBACK_INIT, 128}},
    {MAPPED(169, 254, 0, 0, 16), {{{{0xfe, 0x80}}}, 10}},
    {MAPPED(224, 0, 0, 0, 4), {{{{0xff}}}, 8}},
};

/* --- Networks --- */

struct in6_addr network_map_v4(struct in_addr v4)
{
    struct in6_addr v6 = {.s6_addr = {[10] = 0xff, 0xff}};
    memcpy(&v6.s6_addr[12], &v4, sizeof(v4));
    return v6;
}

bool network_is_v4(const struct in6_addr *bytes)
{
    return IN6_IS_ADDR_V4MAPPED(bytes);
}

bool network_parse(struct network *network, struct slice text)
{
    struct slice digits = text;
    struct slice prefix = slice_cut(&digits, '/');
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (prefix.len >= sizeof(copy)) return false;
    *slice_put(copy, prefix) = '\0';
    bool is_v4 = inet_pton(AF_INET, copy, &v4) == 1;
    if (!is_v4 && inet_pton(AF_INET6, copy, &network->prefix) != 1) return false;
    uint64_t longest = is_v4 ? 32 : 128, bits = longest;
    if (digits.data && (!number_parse_u64(digits, &bits) || bits > longest)) return false;
    if (is_v4) network->prefix = network_map_v4(v4);
    network->bits = (unsigned) bits + (is_v4 ? NETWORK_MAPPED_BITS : 0);
    return true;
}

bool network_has(const struct network *network, const struct in6_addr *bytes)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;
    if (network->bits < NETWORK_MAPPED_BITS && network_is_v4(bytes)) return false;
    if (memcmp(&network->prefix, bytes, whole) != 0) return false;
    return rest == 0 || (network->prefix.s6_addr[whole] ^ bytes->s6_addr[whole]) >> (8 - rest) == 0;
}

bool network_equal(const struct network *a, const struct network *b)
{
    return a->bits == b->bits && network_has(a, &b->prefix);
}

/* --- Other addresses that an address leads to --- */

static bool begins(const struct in6_addr *bytes, const char *prefix, size_t len)
{
    return memcmp(bytes->s6_addr, prefix, len) == 0;
}

/*
 * Extracts the IPv4 address from an IPv6 address of a form that translators and tunnels use. Returns false if
 * there is none.
 */
static bool embedded_v4(const struct in6_addr *bytes, struct in_addr *v4)
{
    const uint8_t *at = NULL;
    bool compatible = begins(bytes, "\0\0\0\0\0\0\0\0\0\0\0\0", 12) && !IN6_IS_ADDR_UNSPECIFIED(bytes) &&
                      !IN6_IS_ADDR_LOOPBACK(bytes);
    if (compatible || begins(bytes, "\0\x64\xff\x9b\0\0\0\0\0\0\0\0", 12) ||
        begins(bytes, "\0\x64\xff\x9b\0\1", 6))
        at = bytes->s6_addr + 12;
    else if (begins(bytes, "\x20\x02", 2))
        at = bytes->s6_addr + 2;
    if (at) memcpy(v4, at, sizeof(*v4));
    if (at) return true;
    if (!begins(bytes, "\x20\x01\0\0", 4)) return false;
    /*
     * Teredo inverts the bits of the client's address, so that no router on the way translates the address.
     */
    memcpy(v4, bytes->s6_addr + 12, sizeof(*v4));
    v4->s_addr = ~v4->s_addr;
    return true;
}

/*
 * Returns the loopback address for an unspecified address (0.0.0.0 or ::). Returns any other address
 * unchanged.
 */
static struct in6_addr this_machine(struct in6_addr bytes)
{
    static const struct in6_addr nowhere = {.s6_addr = {[10] = 0xff, 0xff}};
    if (IN6_IS_ADDR_UNSPECIFIED(&bytes)) return in6addr_loopback;
    if (memcmp(&bytes, &nowhere, sizeof(bytes)) == 0)
        return network_map_v4((struct in_addr){htonl(INADDR_LOOPBACK)});
    return bytes;
}

struct meanings meanings_of(const union endpoint *endpoint)
{
    struct meanings all = {.count = 1};
    struct in_addr v4;
    if (endpoint->any.sa_family == AF_INET)
        all.items[0] = network_map_v4(endpoint->v4.sin_addr);
    else
        all.items[0] = endpoint->v6.sin6_addr;
    if (embedded_v4(&all.items[0], &v4)) all.items[all.count++] = network_map_v4(v4);
    all.items[all.count] = this_machine(all.items[all.count - 1]);
    all.count++;
    return all;
}

/* --- Lists with names --- */

const struct network_list *network_list_find(struct slice name)
{
    for (size_t n = 0; n < ARRAY_LEN(lists); n++) {
        if (lists[n].name && slice_is(name, lists[n].name)) return &lists[n];
    }
    return NULL;
}

static bool any_has(const struct network_list *list, const struct in6_addr *bytes)
{
    for (size_t n = 0; n < list->count; n++) {
        if (network_has(&list->networks[n], bytes)) return true;
    }
    return false;
}

bool network_list_has(const struct network_list *list, const struct in6_addr *bytes)
{
    return any_has(list, bytes) && (list->of || !any_has(&lists[0], bytes));
}

const struct network_list *network_list_special(const struct meanings *meanings)
{
    for (size_t l = 0; l < ARRAY_LEN(lists); l++) {
        for (size_t n = 0; lists[l].of && n < meanings->count; n++) {
            if (any_has(&lists[l], &meanings->items[n])) return &lists[l];
        }
    }
    return NULL;
}

const struct network *network_counterpart(const struct network *network)
{
    for (size_t n = 0; n < 2 * ARRAY_LEN(pairs); n++) {
        if (network_equal(network, &pairs[n / 2][n % 2])) return &pairs[n / 2][1 - n % 2];
    }
    return NULL;
}
