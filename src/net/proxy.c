#include "net/proxy.h"

#include "net/network.h"

#include <stdlib.h>
#include <string.h>

static bool equals_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/*
 * Returns true if the domain contains the host. "example.com" contains itself and all names below it;
 * ".example.com" and "*.example.com" contain only the names below it.
 */
static bool domain_has(struct slice domain, struct slice host)
{
    if (slice_starts(domain, "*.")) domain = slice_from(domain, 1);
    bool below_alone = slice_starts(domain, ".");
    if (!below_alone && equals_nocase(domain, host)) return true;
    size_t len = domain.len;
    if (len == 0 || host.len <= len) return false;
    struct slice end = slice_from(host, host.len - len);
    if (!equals_nocase(end, domain)) return false;
    return below_alone || host.data[host.len - len - 1] == '.';
}

/*
 * Splits "host:port" and "[::1]:port". Returns the port, or an empty text. `entry` keeps the host. An IPv6
 * address without a port needs no brackets.
 */
static struct slice cut_port(struct slice *entry)
{
    struct slice nothing = {"", 0}, host = *entry, port = *entry;
    if (slice_starts(host, "[")) {
        port = slice_from(host, 1);
        *entry = slice_cut(&port, ']');
        return slice_starts(port, ":") ? slice_from(port, 1) : nothing;
    }
    host = slice_cut(&port, ':');
    if (!port.data || memchr(port.data, ':', port.len)) return nothing;
    *entry = host;
    return port;
}

/*
 * Returns true if an entry of NO_PROXY contains the host. `ip` is the address of the host, or NULL for a host
 * name.
 */
static bool entry_has(struct slice entry, struct slice host, const struct in6_addr *ip, struct slice port)
{
    struct network network;
    if (slice_is(entry, "*")) return true;
    if (ip && network_parse(&network, entry)) return network_has(&network, ip);
    struct slice own_port = cut_port(&entry);
    if (own_port.len && !slice_equal(own_port, port)) return false;
    if (!ip) return domain_has(entry, host);
    return network_parse(&network, entry) && network.bits == 128 && network_has(&network, ip);
}

/* Returns the first variable that is set and not empty, or NULL. */
static const char *variable(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    if (!value || !value[0]) value = getenv(lower);
    return value && value[0] ? value : NULL;
}

static bool is_direct(struct slice host, struct slice port)
{
    struct network own;
    bool is_ip = network_parse(&own, host);
    if (slice_is_nocase(host, "localhost")) return true;
    if (is_ip && network_list_has(network_list_find(slice_of("loopback")), &own.prefix)) return true;
    const char *list = variable("NO_PROXY", "no_proxy");
    for (struct slice rest = slice_of(list ? list : ""); rest.data && rest.len;) {
        struct slice entry = slice_trim(slice_cut(&rest, ','));
        if (entry.len && entry_has(entry, host, is_ip ? &own.prefix : NULL, port)) return true;
    }
    return false;
}

const char *proxy_for(bool https, struct slice host, struct slice port)
{
    const char *proxy = https ? variable("HTTPS_PROXY", "https_proxy") : variable("HTTP_PROXY", "http_proxy");
    return proxy && !is_direct(host, port) ? proxy : NULL;
}
