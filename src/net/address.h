/*
 * Addresses of servers: parses and formats their text, and converts them to socket addresses. Pure, except
 * that port names are looked up in /etc/services. Host names are not resolved here.
 *
 * Accepted forms: "host:port", "host", "1.2.3.4:port", "[::1]:port", "[::1]", "::1", "unix:/path", "/path",
 * and "dir/path" relative to the working directory. ":port" means this machine. The port may be a service
 * name. "unix:11211" is port 11211 of a host named "unix". Other schemes ("dns+...", "http://...") are
 * refused.
 *
 * A host name must conform to RFC 1123, but may also contain '_', as names in container networks do. A final
 * dot (an absolute name) is kept, except after "localhost" and names below it, where the dot changes nothing.
 * A name and the IP addresses it resolves to are different addresses: localhost is not 127.0.0.1. A host that
 * consists of digits and dots must be an IPv4 address. More than one colon outside brackets means an IPv6
 * address without a port. An IPv6 address may have a zone: "fe80::1%eth0".
 */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include "base/buffer.h"
#include "base/slice.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

/* This header needs <sys/socket.h> to be included first. */
#include <linux/vm_sockets.h>

enum address_kind {
    ADDRESS_NAME, /* a host name, to be resolved */
    ADDRESS_IP,   /* an IPv4 or IPv6 literal */
    ADDRESS_UNIX, /* the path of a unix-domain socket */
};

/* Default port of memcached, used when an address has no port. */
#define MEMCACHED_PORT 11211

/* Longest host name in bytes (RFC 1035). Socket paths (sun_path) are shorter. */
#define ADDRESS_HOST_MAX 253

struct address {
    enum address_kind kind;
    uint16_t port; /* host byte order; 0 for a path */
    /* Host name in lower case, IP address without brackets, or path. NUL-terminated. */
    char host[ADDRESS_HOST_MAX + 1];
};

/* Prefix of the address of a vsock socket, which connects a virtual machine and its host. */
#define VSOCK_SCHEME "vsock://"

/* Socket address of a server or a client. Small enough to be passed by value. */
union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_vm vm; /* only for listening sockets */
};

/*
 * Parses the address of a server to connect to. On success, returns NULL. On failure, returns a constant text
 * that says what was expected ("a port from 1 to 65535"), and `address` is undefined. `text` may contain any
 * bytes; blanks, NUL and control characters are refused.
 */
const char *address_parse(struct address *address, struct slice text, uint16_t default_port);

/*
 * Like address_parse, but for a listening socket. The host may be empty: ":9150" means every interface and
 * gives an ADDRESS_NAME with host "". The port may be 0, which means any free port.
 */
const char *address_parse_listen(struct address *address, struct slice text, uint16_t default_port);

/*
 * Appends the canonical text: "name:port", "1.2.3.4:port", "[::1]:port" or "unix:/path". Equal addresses have
 * equal texts.
 */
void address_format(const struct address *address, struct buffer *out);

/* Returns the canonical text as a string that the caller frees. Returns NULL when out of memory. */
char *address_text(const struct address *address);

/* Returns true for "localhost" and names below it (RFC 6761), with or without a final dot. */
bool address_is_localhost(struct slice host);

/*
 * Converts an IP address or a path to a socket address. Returns false for a host name. If the zone names no
 * interface of this machine, the result cannot be connected to.
 */
bool address_endpoint(const struct address *address, union endpoint *endpoint);

/* IP address without a port. All zero means no address. */
struct endpoint_host {
    sa_family_t family;
    uint8_t bytes[16]; /* An IPv4 address uses the first four bytes; the rest are zero. */
};

/* Returns the IP address of an endpoint, or no address if the endpoint is a path. */
struct endpoint_host endpoint_host(const union endpoint *endpoint);

/* Returns the endpoint for an IP address, with port 0. `host` must not be empty (all zero). */
union endpoint endpoint_of_host(const struct endpoint_host *host);

/* Returns true if the endpoint has the IP address `host`. Returns false if `host` is all zero. */
bool endpoint_host_is(const union endpoint *endpoint, const struct endpoint_host *host);

/* Sets the port of an IPv4 or IPv6 endpoint. */
void endpoint_set_port(union endpoint *endpoint, uint16_t port);

/*
 * Appends the endpoint for log lines: "1.2.3.4:port", "[::1]:port", "unix:/path", "vsock://3:port" (virtual
 * machine 3) or "vsock://:port" (any virtual machine).
 */
void endpoint_format(const union endpoint *endpoint, struct buffer *out);

#endif
