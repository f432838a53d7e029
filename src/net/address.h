/*
 * Where a server listens, as text and as socket addresses. Pure, except that names of ports are looked up in
 * /etc/services. Host names are not resolved here.
 *
 * Forms: "host:port", "host", "1.2.3.4:port", "[::1]:port", "[::1]", "::1",
 * "unix:/path", "/path", and "dir/path" below the working directory; ":port" is one of this machine, and the
 * port may be the name of a service. "unix:11211" is a host of that name. Other schemes ("dns+...",
 * "http://...") are refused. A host name is one of RFC 1123, with '_' as container networks have it. A final
 * dot (an absolute name) is kept, except behind "localhost" and names below it, which mean the same with and
 * without it. A name and the literals that it stands for remain different addresses: localhost is not
 * 127.0.0.1. A name of digits and dots alone must be an IPv4 address. More than one colon outside of brackets
 * makes an IPv6 address without a port. An IPv6 address may have a zone: "fe80::1%eth0".
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

/* Needs <sys/socket.h> before it. */
#include <linux/vm_sockets.h>

enum address_kind {
    ADDRESS_NAME, /* a host name, to be resolved */
    ADDRESS_IP,   /* an IPv4 or IPv6 literal */
    ADDRESS_UNIX, /* the path of a unix-domain socket */
};

/* The port of a memcached whose address names none. */
#define MEMCACHED_PORT 11211

/* The longest host name in text (RFC 1035) is 253 bytes; a socket path is shorter (sun_path). */
#define ADDRESS_HOST_MAX 253

struct address {
    enum address_kind kind;
    uint16_t port; /* host byte order; 0 for a path */
    /* Name in lower case, literal without brackets, or path; NUL-terminated. */
    char host[ADDRESS_HOST_MAX + 1];
};

/* What stands before the port of a socket between a virtual machine and its host. */
#define VSOCK_SCHEME "vsock://"

/* One place to connect to, or a client's. Small enough to be copied. */
union endpoint {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_un local;
    struct sockaddr_vm vm; /* listened to, never connected to */
};

/*
 * Reads the address of a server to connect to. Returns NULL, or what was expected,
 * for a message ("a port from 1 to 65535"), a constant; `address` is then undefined. The text
 * may hold any byte: blanks, NUL and control characters are refused.
 */
const char *address_parse(struct address *address, struct slice text, uint16_t default_port);

/*
 * As above for a listening socket: the host may be empty (":9150": every interface; an ADDRESS_NAME whose
 * host is "") and the port 0 (any free one).
 */
const char *address_parse_listen(struct address *address, struct slice text, uint16_t default_port);

/*
 * The canonical text, equal for equal addresses: "name:port", "1.2.3.4:port",
 * "[::1]:port", "unix:/path".
 */
void address_format(const struct address *address, struct buffer *out);

/* The same as a string that the caller frees; NULL when out of memory. */
char *address_text(const struct address *address);

/* "localhost" and names below it (RFC 6761), also with a final dot. */
bool address_is_localhost(struct slice host);

/*
 * The endpoint of a literal or a path; false for a name. A zone that names no interface here makes an
 * endpoint that cannot be connected to.
 */
bool address_endpoint(const struct address *address, union endpoint *endpoint);

/* The IP address of an endpoint, without the port. All zero means none. */
struct endpoint_host {
    sa_family_t family;
    uint8_t bytes[16]; /* of an IPv4 address the first four; the others are zero */
};

/* That of an IPv4 or IPv6 endpoint; none for a path. */
struct endpoint_host endpoint_host(const union endpoint *endpoint);

/* The endpoint of a host, with port 0; the host must not be none. */
union endpoint endpoint_of_host(const struct endpoint_host *host);

/* Whether the endpoint has that host; false for none. */
bool endpoint_host_is(const union endpoint *endpoint, const struct endpoint_host *host);

/* Sets the port of an IPv4 or IPv6 endpoint. */
void endpoint_set_port(union endpoint *endpoint, uint16_t port);

/* "1.2.3.4:port", "[::1]:port", "unix:/path", "vsock://3:port" (of virtual machine 3) or "vsock://:port" (of
 * any): for logs. */
void endpoint_format(const union endpoint *endpoint, struct buffer *out);

#endif
