/*
 * The sockets on which this process listens. URLs must not make it connect to them, because a request could
 * then request itself without end.
 *
 * There is one list per process. Code that opens a listening socket adds the socket to the list, on the
 * loop's thread.
 */
#ifndef NET_OWN_LISTENERS_H
#define NET_OWN_LISTENERS_H

#include "net/address.h"

#include <stdbool.h>

/* Adds an endpoint. The same endpoint may be added several times. Returns false when out of memory. */
bool own_listeners_add(const union endpoint *endpoint);

/* Removes one entry for the endpoint. Does nothing if there is none. */
void own_listeners_remove(const union endpoint *endpoint);

/*
 * Returns true if a connection to the endpoint would reach one of the listeners: by its address; by any
 * address of this machine if the listener accepts on all of them; or by the file of a unix socket, under any
 * path.
 */
bool own_listeners_have(const union endpoint *endpoint);

#endif
