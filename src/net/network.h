/*
 * IP networks, named lists of networks, and the IPv4 address that an IPv6 address embeds. IPv4 networks are
 * held in their IPv6-mapped form (::ffff:0:0/96). Pure.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/slice.h"
#include "net/address.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* The prefix length of an IPv4 network is this much larger than the one the user wrote. */
#define NETWORK_MAPPED_BITS 96

struct network {
    struct in6_addr prefix;
    unsigned bits;
};

struct network_list {
    const char *name; /* the word for it; NULL where users have none */
    const char *of; /* what one of its addresses is, for a special one ("a link-local address"); else NULL */
    const struct network *networks;
    size_t count;
};

/* An address, and those that it stands for, see policy_rule.h. */
struct meanings {
    struct in6_addr items[3];
    size_t count;
};

struct in6_addr network_map_v4(struct in_addr v4);
bool network_is_v4(const struct in6_addr *bytes);

/* "10.0.0.0/8", "fd00::/8", or one address without a slash. False if the text is neither. */
bool network_parse(struct network *network, struct slice text);

/* An IPv6 network such as ::/0 has no part of the IPv4 addresses. */
bool network_has(const struct network *network, const struct in6_addr *bytes);
bool network_equal(const struct network *a, const struct network *b);

/* The network that means the same in the other family: ::1/128 for 127.0.0.0/8; NULL if there is none. */
const struct network *network_counterpart(const struct network *network);

/* The list of that name, static; or NULL. */
const struct network_list *network_list_find(struct slice name);

/* A list that is not special has no special addresses of clouds, though its networks would. */
bool network_list_has(const struct network_list *list, const struct in6_addr *bytes);

struct meanings meanings_of(const union endpoint *endpoint);

/* The special list that one of them is in, the closest first; NULL for ordinary addresses. */
const struct network_list *network_list_special(const struct meanings *meanings);

#endif
