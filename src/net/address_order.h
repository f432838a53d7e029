/*
 * Sorts the addresses of a name into the order in which they should be tried (RFC 6724, section 6), by the
 * routes of this host. Rules 3, 4 and 7 (deprecated, home and tunnelled addresses) are left out, since they
 * do not concern servers.
 */
#ifndef NET_ADDRESS_ORDER_H
#define NET_ADDRESS_ORDER_H

#include "net/address.h"

#include <stddef.h>

/*
 * Sorts IPv4 and IPv6 endpoints in place; equal ones keep their order. Asks the kernel for the source address
 * of each, which sends nothing. Without memory the order stays.
 */
void address_order(union endpoint *endpoints, size_t count);

#endif
