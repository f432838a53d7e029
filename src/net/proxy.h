/*
 * Chooses the proxy for a request by the rules of Go's standard library, which Prometheus and the official
 * exporters also follow. HTTP_PROXY is for http and HTTPS_PROXY for https; the names may also be in lower
 * case. NO_PROXY lists hosts that are connected to directly: host, .domain, address or network, optionally
 * with a port; "*" means all hosts. Loopback addresses never use a proxy. Pure, except that it reads the
 * environment.
 */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "base/slice.h"

#include <stdbool.h>

/*
 * Returns the proxy for a request, or NULL for none. `host` is a name or an address without brackets, and
 * `port` is a number. The result points into the environment.
 */
const char *proxy_for(bool https, struct slice host, struct slice port);

#endif
