#include "net/own_listeners.h"

#include "net/network.h"
#include "net/route.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct {
    union endpoint *items;
    size_t count;
} own;

/* Returns true for the families that a URL can name. Other listeners need no entry. */
static bool is_of_a_target(const union endpoint *endpoint)
{
    sa_family_t family = endpoint->any.sa_family;
    return family == AF_INET || family == AF_INET6 || family == AF_UNIX;
}

bool own_listeners_add(const union endpoint *endpoint)
{
    if (!is_of_a_target(endpoint)) return true;
    union endpoint *items = realloc(own.items, (own.count + 1) * sizeof(*items));
    if (!items) return false;
    own.items = items;
    items[own.count++] = *endpoint;
    return true;
}

static uint16_t port_of(const union endpoint *endpoint)
{
    return ntohs(endpoint->any.sa_family == AF_INET ? endpoint->v4.sin_port : endpoint->v6.sin6_port);
}

static bool is_same(const union endpoint *a, const union endpoint *b)
{
    if (a->any.sa_family != b->any.sa_family) return false;
    if (a->any.sa_family == AF_UNIX) return strcmp(a->local.sun_path, b->local.sun_path) == 0;
    struct endpoint_host host = endpoint_host(a);
    return port_of(a) == port_of(b) && endpoint_host_is(b, &host);
}

void own_listeners_remove(const union endpoint *endpoint)
{
    size_t at = 0;
    while (at < own.count && !is_same(&own.items[at], endpoint)) at++;
    if (at == own.count) return;
    own.items[at] = own.items[--own.count];
    if (own.count > 0) return;
    free(own.items);
    own.items = NULL;
}

static bool is_same_file(const char *a, const char *b)
{
    struct stat one, other;
    return stat(a, &one) == 0 && stat(b, &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* Returns true if the listener accepts on all addresses: 0.0.0.0, :: or ::ffff:0.0.0.0. */
static bool is_everywhere(const union endpoint *listener)
{
    static const uint8_t nowhere[4];
    const struct in6_addr *v6 = &listener->v6.sin6_addr;
    if (listener->any.sa_family == AF_INET) return listener->v4.sin_addr.s_addr == htonl(INADDR_ANY);
    return IN6_IS_ADDR_UNSPECIFIED(v6) ||
           (IN6_IS_ADDR_V4MAPPED(v6) && memcmp(&v6->s6_addr[12], nowhere, sizeof(nowhere)) == 0);
}

static union endpoint endpoint_of(const struct in6_addr *bytes)
{
    union endpoint endpoint = {0};
    if (network_is_v4(bytes)) {
        endpoint.v4.sin_family = AF_INET;
        memcpy(&endpoint.v4.sin_addr, &bytes->s6_addr[12], sizeof(endpoint.v4.sin_addr));
    } else {
        endpoint.v6.sin6_family = AF_INET6;
        endpoint.v6.sin6_addr = *bytes;
    }
    return endpoint;
}

/* Returns true if one of the addresses leads to the listener. */
static bool leads_to(const struct meanings *meanings, const union endpoint *listener)
{
    struct meanings own_meanings = meanings_of(listener);
    for (size_t n = 0; n < meanings->count; n++) {
        union endpoint place = endpoint_of(&meanings->items[n]);
        if (is_everywhere(listener) && route_is_local(&place)) return true;
        if (memcmp(&meanings->items[n], &own_meanings.items[0], sizeof(struct in6_addr)) == 0) return true;
    }
    return false;
}

bool own_listeners_have(const union endpoint *endpoint)
{
    bool is_path = endpoint->any.sa_family == AF_UNIX;
    for (size_t n = 0; n < own.count; n++) {
        const union endpoint *listener = &own.items[n];
        if (is_path != (listener->any.sa_family == AF_UNIX)) continue;
        if (is_path && is_same_file(endpoint->local.sun_path, listener->local.sun_path)) return true;
        if (is_path || port_of(endpoint) != port_of(listener)) continue;
        struct meanings meanings = meanings_of(endpoint);
        if (leads_to(&meanings, listener)) return true;
    }
    return false;
}
