#include "net/address.h"

#include "base/digits.h"
#include "base/number.h"
#include "base/utf8.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netdb.h>
#include <stdio.h>

static const char expected_address[] = "an address such as host:port, [::1]:port or unix:/path";
static const char expected_clean[] = "an address without blanks and control characters";
static const char expected_plain[] = "host:port without a scheme such as http://";
static const char expected_no_discovery[] =
    "a plain host:port (dns+ and dnssrv+ are for configured addresses alone)";
static const char expected_no_path[] = "host:port without a slash or a path behind it";
static const char expected_name[] =
    "a host name of letters, digits, '-', '_' and '.', at most 63 bytes between "
    "dots and 253 in all";
static const char expected_host[] = "host:port or :port, such as localhost:11211";
static const char expected_listen_host[] = "host:port or :port, such as :9150";
static const char expected_no_login[] = "host:port without a user; logins have settings of their own";
static const char expected_v4[] = "an IPv4 address such as 192.0.2.1";
static const char expected_v6[] = "an IPv6 address such as ::1, in brackets if a port follows: [::1]:port";
static const char expected_colons[] =
    "host:port with one colon, or an IPv6 address such as ::1, in brackets if a port follows: [::1]:port";
static const char expected_bracket[] = "nothing or a port after the brackets: [::1]:port";
static const char expected_path[] = "a path after unix:";
static const char expected_short_path[] = "a socket path of at most 107 bytes";
static const char expected_port[] = "a port from 1 to 65535";
static const char expected_listen_port[] = "a port from 0 to 65535";

/* State of the parser: its options and its result. */
struct address_reader {
    struct address *address;
    uint16_t default_port;
    bool listen;
};

static char to_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char) (c - 'A' + 'a') : c;
}

static bool is_alphanumeric(char c)
{
    return is_digit(c) || (to_lower(c) >= 'a' && to_lower(c) <= 'z');
}

/*
 * Returns false if the text has characters that cannot be shown in logs and labels, where addresses appear.
 */
static bool is_clean(struct slice text)
{
    for (size_t at = 0; at < text.len; at++) {
        if ((unsigned char) text.data[at] <= ' ' || text.data[at] == 0x7f) return false;
    }
    return utf8_is_valid(text);
}

static bool has_scheme(struct slice text)
{
    return memmem(text.data, text.len, "://", 3) != NULL;
}

/* The caller has checked that `host` fits. */
static void set_host(struct address *address, enum address_kind kind, struct slice host)
{
    address->kind = kind;
    memcpy(address->host, host.data, host.len);
    address->host[host.len] = '\0';
}

static const char *read_path(struct address_reader *reader, struct slice path)
{
    if (path.len == 0) return expected_path;
    if (path.len >= sizeof((struct sockaddr_un){0}.sun_path)) return expected_short_path;
    set_host(reader->address, ADDRESS_UNIX, path);
    reader->address->port = 0;
    return NULL;
}

/*
 * Returns the port of a service in /etc/services, or 0 if it is unknown. Containers often lack that file, so
 * "memcache" is built in.
 */
static uint64_t find_service(struct slice name)
{
    char text[16], bytes[1024];
    struct servent service, *found = NULL;
    if (name.len == 0 || name.len >= sizeof(text)) return 0;
    for (size_t i = 0; i < name.len; i++) {
        if (!is_alphanumeric(name.data[i]) && name.data[i] != '-') return 0;
        text[i] = to_lower(name.data[i]);
    }
    text[name.len] = '\0';
    if (strcmp(text, "memcache") == 0) return MEMCACHED_PORT;
    getservbyname_r(text, "tcp", &service, bytes, sizeof(bytes), &found);
    return found ? ntohs((uint16_t) found->s_port) : 0;
}

static bool is_number(struct slice text)
{
    return text.len && is_digit(text.data[0]);
}

static const char *read_port(struct address_reader *reader, struct slice text)
{
    uint64_t port;
    if (memchr(text.data, '/', text.len)) return expected_no_path;
    bool found = is_number(text) ? number_parse_u64(text, &port) : (port = find_service(text)) > 0;
    if (!found || port > UINT16_MAX || (port == 0 && !reader->listen))
        return reader->listen ? expected_listen_port : expected_port;
    reader->address->port = (uint16_t) port;
    return NULL;
}

/* Returns true if the label consists of letters, digits, '_' and '-', with no '-' at either end. */
static bool is_label(struct slice label)
{
    if (label.len == 0 || label.len > 63) return false;
    if (label.data[0] == '-' || label.data[label.len - 1] == '-') return false;
    for (size_t i = 0; i < label.len; i++) {
        char c = label.data[i];
        if (!is_alphanumeric(c) && c != '-' && c != '_') return false;
    }
    return true;
}

static bool is_name(struct slice name)
{
    if (name.len > ADDRESS_HOST_MAX) return false;
    if (name.len > 1 && name.data[name.len - 1] == '.') name.len--;
    while (name.data) {
        if (!is_label(slice_cut(&name, '.'))) return false;
    }
    return true;
}

/* Returns true for "11211", which is a port without a host. */
static bool is_digits(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i])) return false;
    }
    return true;
}

static bool is_digits_and_dots(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit(text.data[i]) && text.data[i] != '.') return false;
    }
    return true;
}

bool address_is_localhost(struct slice host)
{
    struct slice suffix = SLICE("localhost");
    if (host.len && host.data[host.len - 1] == '.') host.len--;
    if (host.len < suffix.len) return false;
    size_t before = host.len - suffix.len;
    return slice_equal(slice_from(host, before), suffix) && (before == 0 || host.data[before - 1] == '.');
}

/* Parses a host name or an IPv4 address. */
static const char *read_name(struct address_reader *reader, struct slice name)
{
    struct address *address = reader->address;
    struct in_addr ignored;
    if (name.len == 0) {
        /* As in Go, ":11211" means this machine for a client and every interface for a listener. */
        set_host(address, ADDRESS_NAME, reader->listen ? name : SLICE("localhost"));
        return NULL;
    }
    if (is_digits(name)) return reader->listen ? expected_listen_host : expected_host;
    if (!is_name(name)) return is_digits_and_dots(name) ? expected_v4 : expected_name;
    set_host(address, ADDRESS_NAME, name);
    for (char *c = address->host; *c; c++) *c = to_lower(*c);
    if (name.data[name.len - 1] == '.' && address_is_localhost(slice_of(address->host)))
        address->host[name.len - 1] = '\0';
    if (!is_digits_and_dots(name)) return NULL;

    /* No top-level domain is a number, so this host must be an IPv4 address or a typing error. */
    if (inet_pton(AF_INET, address->host, &ignored) != 1) return expected_v4;
    address->kind = ADDRESS_IP;
    return NULL;
}

static bool is_zone(struct slice zone)
{
    if (zone.len == 0 || zone.len >= IF_NAMESIZE) return false;
    for (size_t i = 0; i < zone.len; i++) {
        if (!is_alphanumeric(zone.data[i]) && !strchr("-._~", zone.data[i])) return false;
    }
    return true;
}

/* Splits "fe80::1%eth0" into address and zone. Without a zone, zone->data is NULL. */
static bool parse_v6(struct slice text, struct in6_addr *bytes, struct slice *zone)
{
    char number[INET6_ADDRSTRLEN];
    *zone = text;
    struct slice head = slice_cut(zone, '%');
    if (zone->data && !is_zone(*zone)) return false;
    if (head.len >= sizeof(number)) return false;
    memcpy(number, head.data, head.len);
    number[head.len] = '\0';
    return inet_pton(AF_INET6, number, bytes) == 1;
}

static const char *read_v6(struct address_reader *reader, struct slice text)
{
    char *host = reader->address->host;
    struct in6_addr bytes;
    struct slice zone;
    if (!parse_v6(text, &bytes, &zone)) return expected_v6;
    reader->address->kind = ADDRESS_IP;
    inet_ntop(AF_INET6, &bytes, host, INET6_ADDRSTRLEN);
    if (!zone.data) return NULL;

    host += strlen(host);
    *host++ = '%';
    memcpy(host, zone.data, zone.len);
    host[zone.len] = '\0';
    return NULL;
}

/* Parses the text after '['. */
static const char *read_bracketed(struct address_reader *reader, struct slice text)
{
    struct slice rest = text;
    struct slice inside = slice_cut(&rest, ']');
    if (!rest.data) return expected_v6;
    const char *expected = read_v6(reader, inside);
    if (expected || rest.len == 0) return expected;
    if (rest.data[0] != ':') return expected_bracket;
    return read_port(reader, slice_from(rest, 1));
}

static const char *read_host_and_port(struct address_reader *reader, struct slice text)
{
    struct slice port = text;
    struct slice host = slice_cut(&port, ':');
    if (!port.data) return read_name(reader, host);
    if (memchr(port.data, ':', port.len)) return read_v6(reader, text) ? expected_colons : NULL;
    const char *expected = read_name(reader, host);
    return expected ? expected : read_port(reader, port);
}

/* Returns true for "unix:11211", which is the printed address of a host named "unix". */
static bool is_port_of_unix(struct slice text)
{
    uint64_t port;
    return number_parse_u64(slice_from(text, strlen("unix:")), &port);
}

/*
 * Returns true for "run/memcached.sock". Returns false for "host:1/", "host/" and "10.0.0.0/8", which are
 * probably mistakes.
 */
static bool is_relative_path(struct slice text)
{
    struct slice rest = text;
    struct slice first = slice_cut(&rest, '/');
    if (!rest.data || rest.len == 0 || memchr(first.data, ':', first.len)) return false;
    return !is_digits_and_dots(first) || slice_is(first, ".") || slice_is(first, "..");
}

static const char *read_address(struct address_reader *reader, struct slice text)
{
    *reader->address = (struct address){.port = reader->default_port};
    if (text.len == 0) return expected_address;
    if (!is_clean(text)) return expected_clean;
    if (text.data[0] == '/') return read_path(reader, text);
    if (slice_starts(text, "unix:") && !is_port_of_unix(text))
        return read_path(reader, slice_from(text, strlen("unix:")));
    if (slice_starts(text, "dns+") || slice_starts(text, "dnssrv+")) return expected_no_discovery;
    if (has_scheme(text)) return expected_plain;
    if (!reader->listen && is_relative_path(text)) return read_path(reader, text);
    if (memchr(text.data, '@', text.len)) return expected_no_login;
    if (text.data[0] == '[') return read_bracketed(reader, slice_from(text, 1));
    return read_host_and_port(reader, text);
}

const char *address_parse(struct address *address, struct slice text, uint16_t default_port)
{
    return read_address(&(struct address_reader){address, default_port, false}, text);
}

const char *address_parse_listen(struct address *address, struct slice text, uint16_t default_port)
{
    return read_address(&(struct address_reader){address, default_port, true}, text);
}

static void format(enum address_kind kind, const char *host, uint16_t port, struct buffer *out)
{
    if (kind == ADDRESS_UNIX) {
        buffer_printf(out, "unix:%s", host);
    } else {
        buffer_printf(out, strchr(host, ':') ? "[%s]:%u" : "%s:%u", host, (unsigned) port);
    }
}

void address_format(const struct address *address, struct buffer *out)
{
    format(address->kind, address->host, address->port, out);
}

char *address_text(const struct address *address)
{
    struct buffer text;
    buffer_init(&text, 2 * sizeof(*address));
    address_format(address, &text);
    char *copy = text.failed ? NULL : strndup(text.data, text.len);
    buffer_deinit(&text);
    return copy;
}

/*
 * Returns the index of an interface, given its name or its number (RFC 4007). Returns 0 for an unknown name.
 */
static uint32_t scope_of(struct slice zone)
{
    char name[IF_NAMESIZE];
    uint64_t number;
    if (!zone.data) return 0;
    memcpy(name, zone.data, zone.len);
    name[zone.len] = '\0';
    uint32_t scope = if_nametoindex(name);
    if (scope == 0 && number_parse_u64(zone, &number) && number <= UINT32_MAX) scope = (uint32_t) number;
    return scope;
}

bool address_endpoint(const struct address *address, union endpoint *endpoint)
{
    struct slice host = slice_of(address->host), zone;
    memset(endpoint, 0, sizeof(*endpoint));
    if (address->kind == ADDRESS_NAME) return false;
    if (address->kind == ADDRESS_UNIX) {
        endpoint->any.sa_family = AF_UNIX;
        memcpy(endpoint->local.sun_path, host.data, host.len + 1);
        return true;
    }
    if (inet_pton(AF_INET, host.data, &endpoint->v4.sin_addr) == 1) {
        endpoint->any.sa_family = AF_INET;
    } else {
        endpoint->any.sa_family = AF_INET6;
        parse_v6(host, &endpoint->v6.sin6_addr, &zone);
        endpoint->v6.sin6_scope_id = scope_of(zone);
    }
    endpoint_set_port(endpoint, address->port);
    return true;
}

struct endpoint_host endpoint_host(const union endpoint *endpoint)
{
    struct endpoint_host host = {0};
    if (endpoint->any.sa_family == AF_INET) {
        host.family = AF_INET;
        memcpy(host.bytes, &endpoint->v4.sin_addr, sizeof(endpoint->v4.sin_addr));
    } else if (endpoint->any.sa_family == AF_INET6) {
        host.family = AF_INET6;
        memcpy(host.bytes, &endpoint->v6.sin6_addr, sizeof(endpoint->v6.sin6_addr));
    }
    return host;
}

union endpoint endpoint_of_host(const struct endpoint_host *host)
{
    union endpoint endpoint = {.any = {.sa_family = host->family}};
    if (host->family == AF_INET)
        memcpy(&endpoint.v4.sin_addr, host->bytes, sizeof(endpoint.v4.sin_addr));
    else
        memcpy(&endpoint.v6.sin6_addr, host->bytes, sizeof(endpoint.v6.sin6_addr));
    return endpoint;
}

bool endpoint_host_is(const union endpoint *endpoint, const struct endpoint_host *host)
{
    struct endpoint_host own = endpoint_host(endpoint);
    return host->family && own.family == host->family && memcmp(own.bytes, host->bytes, 16) == 0;
}

void endpoint_set_port(union endpoint *endpoint, uint16_t port)
{
    if (endpoint->any.sa_family == AF_INET) endpoint->v4.sin_port = htons(port);
    if (endpoint->any.sa_family == AF_INET6) endpoint->v6.sin6_port = htons(port);
}

static void append_zone(char *host, uint32_t scope)
{
    char name[IF_NAMESIZE];
    if (scope == 0) return;
    if (!if_indextoname(scope, name)) snprintf(name, sizeof(name), "%u", (unsigned) scope);
    host += strlen(host);
    snprintf(host, IF_NAMESIZE + 1, "%%%s", name);
}

void endpoint_format(const union endpoint *endpoint, struct buffer *out)
{
    char host[INET6_ADDRSTRLEN + 1 + IF_NAMESIZE];
    if (endpoint->any.sa_family == AF_UNIX) {
        format(ADDRESS_UNIX, endpoint->local.sun_path, 0, out);
    } else if (endpoint->any.sa_family == AF_INET) {
        inet_ntop(AF_INET, &endpoint->v4.sin_addr, host, sizeof(host));
        format(ADDRESS_IP, host, ntohs(endpoint->v4.sin_port), out);
    } else if (endpoint->any.sa_family == AF_VSOCK) {
        buffer_append_string(out, VSOCK_SCHEME);
        if (endpoint->vm.svm_cid != VMADDR_CID_ANY) buffer_append_u64(out, endpoint->vm.svm_cid);
        buffer_append_char(out, ':');
        buffer_append_u64(out, endpoint->vm.svm_port);
    } else {
        inet_ntop(AF_INET6, &endpoint->v6.sin6_addr, host, sizeof(host));
        append_zone(host, endpoint->v6.sin6_scope_id);
        format(ADDRESS_IP, host, ntohs(endpoint->v6.sin6_port), out);
    }
}
