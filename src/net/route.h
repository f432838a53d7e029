/* What the kernel would do to reach an address, asked by a datagram socket, which sends nothing. */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include "net/address.h"

#include <stdbool.h>

/* The address from which the kernel would connect to an IPv4 or IPv6 endpoint; false if there is no route. */
bool route_source(const union endpoint *endpoint, union endpoint *source);

/* Whether the endpoint is an address of this machine. */
bool route_is_local(const union endpoint *endpoint);

#endif
