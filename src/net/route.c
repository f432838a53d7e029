#include "net/route.h"

#include "net/network.h"

#include <unistd.h>

bool route_source(const union endpoint *endpoint, union endpoint *source)
{
    socklen_t len = sizeof(*source);
    union endpoint probe = *endpoint;
    int fd = socket(probe.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    endpoint_set_port(&probe, 9); /* any port will do */
    bool found =
        connect(fd, &probe.any, probe.any.sa_family == AF_INET ? sizeof(probe.v4) : sizeof(probe.v6)) == 0 &&
        getsockname(fd, &source->any, &len) == 0;
    close(fd);
    return found;
}

/*
 * For each of this machine's addresses outside the loopback network, the kernel uses the same address as
 * source.
 */
bool route_is_local(const union endpoint *endpoint)
{
    union endpoint source = {0};
    struct meanings meanings = meanings_of(endpoint);
    if (network_list_has(network_list_find(SLICE("loopback")), &meanings.items[0])) return true;
    struct endpoint_host host = endpoint_host(endpoint);
    return route_source(endpoint, &source) && endpoint_host_is(&source, &host);
}
