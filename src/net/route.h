/* Asks the kernel how it would reach an address. Uses a datagram socket and sends no packet. */
#ifndef NET_ROUTE_H
#define NET_ROUTE_H

#include "net/address.h"

#include <stdbool.h>

/*
 * Finds the source address that the kernel would use to connect to an IPv4 or IPv6 endpoint. Returns false if
 * there is no route.
 */
bool route_source(const union endpoint *endpoint, union endpoint *source);

/* Returns true if the endpoint is an address of this machine. */
bool route_is_local(const union endpoint *endpoint);

#endif
