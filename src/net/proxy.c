#include "net/proxy.h"

#include "base/number.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* IPv4 as ::ffff:a.b.c.d. */
struct ip {
    unsigned char bytes[16];
};

static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};

static bool read_ip(struct ip *ip, struct slice text)
{
    char copy[INET6_ADDRSTRLEN];
    if (text.len == 0 || text.len >= sizeof(copy)) return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    memcpy(ip->bytes, mapped, sizeof(mapped));
    return inet_pton(AF_INET, copy, ip->bytes + sizeof(mapped)) == 1 ||
           inet_pton(AF_INET6, copy, ip->bytes) == 1;
}

static bool is_mapped(const struct ip *ip)
{
    return memcmp(ip->bytes, mapped, sizeof(mapped)) == 0;
}

static bool is_loopback(const struct ip *ip)
{
    static const unsigned char one[16] = {[15] = 1};
    return is_mapped(ip) ? ip->bytes[12] == 127 : memcmp(ip->bytes, one, sizeof(one)) == 0;
}

static bool same_bits(const struct ip *a, const struct ip *b, unsigned bits)
{
    unsigned rest = bits % 8;
    if (memcmp(a->bytes, b->bytes, bits / 8) != 0) return false;
    return rest == 0 || (a->bytes[bits / 8] ^ b->bytes[bits / 8]) >> (8 - rest) == 0;
}

/* "10.0.0.0/8"; false too if it is no network. */
static bool network_has(struct slice network, const struct ip *ip)
{
    struct ip base;
    uint64_t bits;
    struct slice digits = network;
    struct slice address = slice_cut(&digits, '/');
    if (!digits.data || !read_ip(&base, address) || !number_parse_u64(digits, &bits)) return false;
    if (bits > (is_mapped(&base) ? 32 : 128)) return false;
    return same_bits(&base, ip, (unsigned) bits + (is_mapped(&base) ? 96 : 0));
}

static bool equals_nocase(struct slice a, struct slice b)
{
    return a.len == b.len && strncasecmp(a.data, b.data, a.len) == 0;
}

/*
 * "example.com" stands for itself and all below it, ".example.com" and "*.example.com" for those below alone.
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

/* Splits "host:port" and "[::1]:port"; an IPv6 address may also stand alone. */
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

static bool entry_has(struct slice entry, struct slice host, const struct ip *ip, struct slice port)
{
    struct ip own;
    if (slice_is(entry, "*") || (ip && network_has(entry, ip))) return true;
    struct slice own_port = cut_port(&entry);
    if (own_port.len && !slice_equal(own_port, port)) return false;
    if (!ip) return domain_has(entry, host);
    return read_ip(&own, entry) && same_bits(&own, ip, 128);
}

/* The first that is set and not empty. */
static const char *variable(const char *upper, const char *lower)
{
    const char *value = getenv(upper);
    if (!value || !value[0]) value = getenv(lower);
    return value && value[0] ? value : NULL;
}

static bool is_direct(struct slice host, struct slice port)
{
    struct ip ip;
    bool is_ip = read_ip(&ip, host);
    if (slice_is_nocase(host, "localhost") || (is_ip && is_loopback(&ip))) return true;
    const char *list = variable("NO_PROXY", "no_proxy");
    for (struct slice rest = slice_of(list ? list : ""); rest.data && rest.len;) {
        struct slice entry = slice_trim(slice_cut(&rest, ','));
        if (entry.len && entry_has(entry, host, is_ip ? &ip : NULL, port)) return true;
    }
    return false;
}

const char *proxy_for(bool https, struct slice host, struct slice port)
{
    const char *proxy = https ? variable("HTTPS_PROXY", "https_proxy") : variable("HTTP_PROXY", "http_proxy");
    return proxy && !is_direct(host, port) ? proxy : NULL;
}
