/*
 * One rule about addresses, as a user writes it:
 *
 *     any              every IP address
 *     private          the addresses of private networks and of this machine, see below
 *     loopback         127.0.0.0/8, ::1
 *     link-local       169.254.0.0/16, fe80::/10
 *     metadata         where clouds hand out credentials to whoever asks, see below
 *     10.0.0.0/8       a network; 10.0.0.7 and fd00::7 are networks of one address
 *     10.0.*.7         a pattern of digits, dots and wildcards: on the text of an IPv4 address
 *     *.example.com    any other pattern: on the name as it was asked for
 *     unix:/run/m*     a pattern on the path of a unix socket
 *
 * All but the last may be followed by a port: any:11211, [fd00::/8]:11211, cache-*:11211. '*' stands for any
 * bytes, or none, '?' for one; in a path neither for a slash. Case and a final dot do not count in names.
 *
 * Rules on addresses hold for what a name was resolved to, whatever the name; rules on names say nothing of
 * servers that are asked for by address. An IPv6 address that stands for an IPv4 one is also that one:
 * ::ffff:10.0.0.1 (mapped), ::10.0.0.1 (compatible, RFC 4291), 64:ff9b::10.0.0.1 (NAT64, RFC 6052),
 * 2002:a00:1:: (6to4, RFC 3056), and Teredo (RFC 4380). 0.0.0.0 and :: lead to this machine (RFC 1122,
 * 3.2.1.3), so rules on 127.0.0.1 and ::1 hold for them. A zone does not count.
 *
 * `private` are 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598), fc00::/7 (RFC
 * 4193) and this machine (127.0.0.0/8, ::1), without the addresses of `metadata`. Those are 169.254.169.254
 * and its neighbours 169.254.170.2 and .23 (AWS and those who followed), 168.63.129.16 (Azure), 192.0.0.192
 * (Oracle), 100.100.100.200 (Alibaba), fd00:ec2::/32 (AWS), fd20:ce::254 (Google). Pure.
 */
#ifndef NET_POLICY_RULE_H
#define NET_POLICY_RULE_H

#include "net/address.h"
#include "net/network.h"

#include <stdbool.h>
#include <stdint.h>

enum policy_rule_kind {
    POLICY_ANY,
    POLICY_LIST, /* of networks, by its name */
    POLICY_NETWORK,
    POLICY_LITERAL, /* a pattern on an IPv4 address */
    POLICY_NAME,
    POLICY_PATH,
};

struct policy_rule {
    enum policy_rule_kind kind;
    uint16_t port;                   /* 0: every port */
    const struct network_list *list; /* static */
    struct network network;
    char pattern[ADDRESS_HOST_MAX + 1]; /* NUL-terminated */
    char text[ADDRESS_HOST_MAX + 1];    /* as it was written */
};

enum policy_match {
    POLICY_NO_MATCH,
    POLICY_MATCH,
    POLICY_MATCH_LATER, /* when the name is resolved, it may */
};

/* Owns nothing. NULL, or what was expected, a constant; `rule` is then undefined. */
const char *policy_rule_parse(struct policy_rule *rule, struct slice text);

/* `endpoint` as for policy_check. */
enum policy_match policy_rule_match(const struct policy_rule *rule, const struct address *address,
                                    const union endpoint *endpoint);

/*
 * Addresses that no rule allows by the way: a rule has to mean them. Returns the list of them that a literal,
 * or what a name was resolved to, is on; else NULL.
 */
const struct network_list *policy_special(const struct address *address, const union endpoint *endpoint);

/* Whether the rule means special addresses: `any`, their word, or a network that has no others. */
bool policy_rule_means_special(const struct policy_rule *rule, const struct address *address,
                               const union endpoint *endpoint);

/*
 * A warning about a rule that is to deny: what it may fail to do, a constant; or NULL. A word that is none is
 * taken for the name of a host, and a rule on one family leaves the other. `others` are all rules beside it.
 */
const char *policy_rule_doubt(const struct policy_rule *rule, const struct policy_rule *others, size_t count);

#endif
