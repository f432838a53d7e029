/*
 * IP networks, named lists of networks, and IPv4 addresses embedded in IPv6 addresses. IPv4 networks are
 * stored in IPv6-mapped form (::ffff:0:0/96). Pure.
 */
#ifndef NET_NETWORK_H
#define NET_NETWORK_H

#include "base/slice.h"
#include "net/address.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

/* Number added to the prefix length of an IPv4 network in mapped form. */
#define NETWORK_MAPPED_BITS 96

struct network {
    struct in6_addr prefix;
    unsigned bits;
};

struct network_list {
    const char *name; /* word for the list in rules; NULL if it has none */
    /*
     * Description of an address on a special list ("a link-local address"). NULL if the list is not special.
     */
    const char *of;
    const struct network *networks;
    size_t count;
};

/* An address and the other addresses that it leads to, see policy_rule.h. */
struct meanings {
    struct in6_addr items[3];
    size_t count;
};

struct in6_addr network_map_v4(struct in_addr v4);
bool network_is_v4(const struct in6_addr *bytes);

/* Parses "10.0.0.0/8", "fd00::/8", or a single address. Returns false if the text is malformed. */
bool network_parse(struct network *network, struct slice text);

/* Returns true if the network contains the address. An IPv6 network such as ::/0 contains no IPv4 address. */
bool network_has(const struct network *network, const struct in6_addr *bytes);
bool network_equal(const struct network *a, const struct network *b);

/*
 * Returns the network with the same meaning in the other family, such as ::1/128 for 127.0.0.0/8. Returns
 * NULL if there is none.
 */
const struct network *network_counterpart(const struct network *network);

/* Returns the static list with that name, or NULL. */
const struct network_list *network_list_find(struct slice name);

/*
 * Returns true if the list contains the address. Metadata addresses of clouds count as outside of lists that
 * are not special, even if a network of the list contains them.
 */
bool network_list_has(const struct network_list *list, const struct in6_addr *bytes);

struct meanings meanings_of(const union endpoint *endpoint);

/*
 * Returns the most specific special list that contains one of the addresses, or NULL if no special list does.
 */
const struct network_list *network_list_special(const struct meanings *meanings);

#endif
