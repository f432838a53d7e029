/*
 * Sorts the addresses of a name into the order in which a client should try them (RFC 6724, section 6), based
 * on the routes of this host. Rules 3, 4 and 7 (deprecated, home and tunnelled addresses) are not
 * implemented, because they do not concern servers.
 */
#ifndef NET_ADDRESS_ORDER_H
#define NET_ADDRESS_ORDER_H

#include "net/address.h"

#include <stddef.h>

/*
 * Sorts IPv4 and IPv6 endpoints in place. The sort is stable. Asks the kernel for the source address of each
 * endpoint, which sends no packet. When out of memory, the order does not change.
 */
void address_order(union endpoint *endpoints, size_t count);

#endif
