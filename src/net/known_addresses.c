#include "net/known_addresses.h"

#include <stdlib.h>
#include <string.h>

#define TTL_MIN_MS     1000 /* so that a TTL of 0 does not cost a look-up per scrape */
#define TTL_MAX_MS     10000
#define TTL_FAILURE_MS 1000
#define DISTRUST_MS    10 /* a younger answer is not refreshed */
#define GRACE_MS       (3600 * 1000)
#define KNOWN_MAX      128 /* most addresses kept per name */

static bool set_endpoints(struct known_addresses *known, const union endpoint *endpoints, size_t count)
{
    union endpoint *copy = malloc(count * sizeof(*copy));
    if (!copy) return false;
    memcpy(copy, endpoints, count * sizeof(*copy));
    free(known->endpoints);
    known->endpoints = copy;
    known->count = count;
    known->first = 0;
    known->error = NULL;
    return true;
}

static void set_error(struct known_addresses *known, const char *error)
{
    known_addresses_deinit(known);
    known->error = error;
}

void known_addresses_deinit(struct known_addresses *known)
{
    free(known->endpoints);
    known->endpoints = NULL;
    known->count = known->first = 0;
}

void known_addresses_take(struct known_addresses *known, const struct dns_answer *answer, uint64_t now_ms)
{
    uint64_t ttl_ms = answer->ttl_ms < TTL_MIN_MS ? TTL_MIN_MS : answer->ttl_ms;
    known->answered_ms = now_ms;
    if (answer->count == 0) {
        known->expires_ms = now_ms + TTL_FAILURE_MS;
        if (answer->absent || !known_addresses_are_usable(known, now_ms)) set_error(known, answer->error);
        return;
    }
    known->learned_ms = now_ms;
    known->expires_ms = now_ms + (ttl_ms > TTL_MAX_MS ? TTL_MAX_MS : ttl_ms);
    known->incomplete = answer->incomplete || answer->count > KNOWN_MAX;
    if (!set_endpoints(known, answer->endpoints, answer->count > KNOWN_MAX ? KNOWN_MAX : answer->count))
        set_error(known, "out of memory");
}

bool known_addresses_take_localhost(struct known_addresses *known)
{
    union endpoint endpoints[2] = {0};
    endpoints[0].v4.sin_family = AF_INET;
    endpoints[0].v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    endpoints[1].v6.sin6_family = AF_INET6;
    endpoints[1].v6.sin6_addr = in6addr_loopback;
    known->expires_ms = UINT64_MAX;
    return set_endpoints(known, endpoints, 2);
}

bool known_addresses_are_usable(const struct known_addresses *known, uint64_t now_ms)
{
    return known->count && now_ms - known->learned_ms < GRACE_MS;
}

bool known_addresses_distrust(struct known_addresses *known, uint64_t now_ms)
{
    uint64_t due_ms = known->answered_ms + DISTRUST_MS;
    if (known->expires_ms == UINT64_MAX) return false;
    if (known->count > KNOWN_ADDRESSES_TURN)
        known->first = (known->first + KNOWN_ADDRESSES_TURN) % known->count;
    if (known->expires_ms > due_ms) known->expires_ms = due_ms;
    return now_ms >= due_ms;
}

static bool is_same_host(const union endpoint *a, const union endpoint *b)
{
    if (a->any.sa_family != b->any.sa_family) return false;
    if (a->any.sa_family == AF_INET) return a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    return memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof(a->v6.sin6_addr)) == 0;
}

bool known_addresses_list(const struct known_addresses *known, const union endpoint *endpoint)
{
    if (known->count == 0 || known->incomplete) return true;
    for (size_t i = 0; i < known->count; i++) {
        if (is_same_host(&known->endpoints[i], endpoint)) return true;
    }
    return false;
}

size_t known_addresses_hand_out(const struct known_addresses *known, union endpoint *endpoints, size_t most)
{
    size_t count = known->count < most ? known->count : most;
    for (size_t i = 0; i < count; i++) endpoints[i] = known->endpoints[(known->first + i) % known->count];
    return count;
}
