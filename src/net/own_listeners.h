/*
 * Where this process listens itself, so that no URL makes it connect there: a request could ask for itself
 * without end.
 *
 * A socket belongs to the process, and so does this list. Whoever opens a listening socket adds it, from the
 * loop's thread.
 */
#ifndef NET_OWN_LISTENERS_H
#define NET_OWN_LISTENERS_H

#include "net/address.h"

#include <stdbool.h>

/* False when out of memory. An endpoint may be added several times. */
bool own_listeners_add(const union endpoint *endpoint);

/* Takes one of that endpoint away; harmless where there is none. */
void own_listeners_remove(const union endpoint *endpoint);

/*
 * Whether a connection to the endpoint would come out at one of them: by its address, by any address of this
 * machine where one listens at all of them, or by the file of a unix socket, whatever its path.
 */
bool own_listeners_have(const union endpoint *endpoint);

#endif
