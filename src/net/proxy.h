/*
 * Chooses the proxy for a request, by the rules of Go's standard library, which Prometheus and the official
 * exporters follow: HTTP_PROXY for http and HTTPS_PROXY for https, or the same in lower case; NO_PROXY names
 * hosts that are reached directly, as host, .domain, address or network, each with a port or without; "*" is
 * all of them. The loopback is never reached through a proxy. Pure but for reading the environment.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/slice.h"

#include <stdbool.h>

/*
 * NULL: none. `host` is a name or an address without brackets, `port` its digits. Borrowed from the
 * environment.
 */
const char *proxy_for(bool https, struct slice host, struct slice port);

#endif
