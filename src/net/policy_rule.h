/*
 * One rule about addresses, as a user writes it:
 *
 *     any              every IP address
 *     private          the addresses of private networks and of this machine, see below
 *     loopback         127.0.0.0/8, ::1
 *     link-local       169.254.0.0/16, fe80::/10
 *     metadata         servers of clouds that give credentials to any client, see below
 *     10.0.0.0/8       a network; 10.0.0.7 and fd00::7 are networks of one address
 *     10.0.*.7         a pattern of digits, dots and wildcards, for the text of an IPv4 address
 *     *.example.com    any other pattern, for the requested host name
 *     unix:/run/m*     a pattern for the path of a unix socket
 *
 * All forms except the last may be followed by a port: any:11211, [fd00::/8]:11211, cache-*:11211. '*'
 * matches any number of bytes and '?' matches one byte. In a path, neither matches a slash. In names, case
 * and a final dot are ignored.
 *
 * Rules for addresses apply to the resolved addresses of a name, whatever the name is. Rules for names do not
 * apply to servers that are requested by address. An IPv6 address that embeds an IPv4 address also counts as
 * that IPv4 address: ::ffff:10.0.0.1 (mapped), ::10.0.0.1 (compatible, RFC 4291), 64:ff9b::10.0.0.1 (NAT64,
 * RFC 6052), 2002:a00:1:: (6to4, RFC 3056), and Teredo (RFC 4380). 0.0.0.0 and :: lead to this machine (RFC
 * 1122, 3.2.1.3), so rules for 127.0.0.1 and ::1 apply to them. Zones are ignored.
 *
 * `private` means 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 (RFC 1918), 100.64.0.0/10 (RFC 6598), fc00::/7
 * (RFC 4193) and this machine (127.0.0.0/8, ::1), without the addresses of `metadata`. `metadata` means
 * 169.254.169.254, 169.254.170.2 and 169.254.170.23 (AWS and clouds that copied it), 168.63.129.16 (Azure),
 * 192.0.0.192 (Oracle), 100.100.100.200 (Alibaba), fd00:ec2::/32 (AWS), fd20:ce::254 (Google). Pure.
 */
#ifndef NET_POLICY_RULE_H
#define NET_POLICY_RULE_H

#include "net/address.h"
#include "net/network.h"

#include <stdbool.h>
#include <stdint.h>

enum policy_rule_kind {
    POLICY_ANY,
    POLICY_LIST, /* a named list of networks */
    POLICY_NETWORK,
    POLICY_LITERAL, /* pattern for an IPv4 address */
    POLICY_NAME,
    POLICY_PATH,
};

struct policy_rule {
    enum policy_rule_kind kind;
    uint16_t port;                   /* 0: every port */
    const struct network_list *list; /* static */
    struct network network;
    char pattern[ADDRESS_HOST_MAX + 1]; /* NUL-terminated */
    char text[ADDRESS_HOST_MAX + 1];    /* text as the user wrote it */
};

enum policy_match {
    POLICY_NO_MATCH,
    POLICY_MATCH,
    POLICY_MATCH_LATER, /* may match once the name is resolved */
};

/*
 * Parses a rule. On success, returns NULL. On failure, returns a constant text that says what was expected,
 * and `rule` is undefined. A rule owns no memory.
 */
const char *policy_rule_parse(struct policy_rule *rule, struct slice text);

/* Tests a rule. `address` and `endpoint` have the same meaning as for policy_check. */
enum policy_match policy_rule_match(const struct policy_rule *rule, const struct address *address,
                                    const union endpoint *endpoint);

/*
 * Returns the list of special addresses that contains the address, or NULL. For a host name, tests the
 * resolved address in `endpoint`. A special address is allowed only by a rule that is about exactly it.
 */
const struct network_list *policy_special(const struct address *address, const union endpoint *endpoint);

/*
 * Returns true if the rule is about special addresses and matches this one. Such rules are `any`, the name of
 * the list, and a network with only special addresses.
 */
bool policy_rule_means_special(const struct policy_rule *rule, const struct address *address,
                               const union endpoint *endpoint);

/*
 * Checks a deny rule for a likely mistake. Returns a constant text that says what the rule fails to deny, or
 * NULL. An unknown word is taken for a host name, and a rule for one IP family does not deny the other
 * family. `others` are all deny rules.
 */
const char *policy_rule_doubt(const struct policy_rule *rule, const struct policy_rule *others, size_t count);

#endif
