#include "web/listen.h"

#include "base/log.h"
#include "base/number.h"
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define HTTP_PORT 9150

/* The first descriptor that systemd passes; see sd_listen_fds(3). */
#define SYSTEMD_FIRST_DESCRIPTOR 3

/* Listens on the sockets that systemd has opened for this process; see sd_listen_fds(3). */
static int listen_systemd(struct server *server, struct buffer *error)
{
    const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
    int descriptors = count ? atoi(count) : 0, result = 0;
    if (!pid || atol(pid) != (long) getpid() || descriptors < 1) {
        buffer_append_string(error, "--web.systemd-socket: expected at least one socket from systemd");
        return UV_ENOTSOCK;
    }
    for (int n = 0; n < descriptors && result == 0; n++)
        result = server_listen_descriptor(server, SYSTEMD_FIRST_DESCRIPTOR + n);
    if (result < 0) buffer_printf(error, "--web.systemd-socket: %s", uv_strerror(result));
    return result;
}

/* Appends the flag and its value, escaped, as the start of an error line. */
static void append_value(struct buffer *error, const char *value)
{
    buffer_append_string(error, "--web.listen-address: \"");
    utf8_append_escaped(error, slice_of(value));
    buffer_append_string(error, "\": ");
}

/*
 * Parses an address like "vsock://:9150", for connections between a virtual machine and its host. As in
 * Prometheus' exporter-toolkit, text before the port is ignored. Port 0 means any free port. Returns NULL, or
 * a text that says what was expected.
 */
static const char *parse_vsock(struct slice text, uint32_t *port)
{
    uint64_t number;
    struct slice rest = slice_from(text, strlen(VSOCK_SCHEME)), host = slice_cut(&rest, '/');
    const char *colon = memrchr(host.data, ':', host.len);
    struct slice digits = colon ? slice_from(host, (size_t) (colon + 1 - host.data)) : SLICE("");
    if (!number_parse_u64(digits, &number) || number >= VMADDR_PORT_ANY)
        return "a port from 0 to 4294967294, as in vsock://:9150";
    *port = number ? (uint32_t) number : VMADDR_PORT_ANY;
    return NULL;
}

static int listen_vsock(struct server *server, uint32_t port)
{
    const struct sockaddr_vm any = {.svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = port};
    int descriptor = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return uv_translate_sys_error(errno);
    if (bind(descriptor, (const struct sockaddr *) &any, sizeof(any)) == 0)
        return server_listen_descriptor(server, descriptor);
    int result = uv_translate_sys_error(errno);
    close(descriptor);
    return result;
}

static int listen_address(struct server *server, const char *text, struct buffer *error)
{
    struct address address;
    uint32_t port = 0;
    bool vsock = slice_starts(slice_of(text), VSOCK_SCHEME);
    const char *expected = vsock ? parse_vsock(slice_of(text), &port)
                                 : address_parse_listen(&address, slice_of(text), HTTP_PORT);
    int result = UV_EINVAL;
    if (!expected) result = vsock ? listen_vsock(server, port) : server_listen(server, &address);
    if (result == 0) return 0;
    append_value(error, text);
    if (expected) {
        buffer_printf(error, "expected %s", expected);
        return UV_EINVAL;
    }
    buffer_append_string(error, uv_strerror(result));
    if (result == UV_EADDRNOTAVAIL)
        buffer_append_string(error, "; expected an address of this machine, or :port for all of them");
    /* To the caller, UV_EINVAL means a malformed address. This address is well-formed, but unusable. */
    return result == UV_EINVAL ? UV_EADDRNOTAVAIL : result;
}

int listen_all(struct server *server, const struct options *options, struct buffer *error)
{
    int result = 0;
    if (options->systemd_socket) return listen_systemd(server, error);
    for (size_t n = 0; n < options->listen_addresses.count && result == 0; n++)
        result = listen_address(server, options->listen_addresses.items[n], error);
    return result;
}

/* Users search for these words, which the official exporter logs too. */
void listen_log(const struct server *server, const struct guard *guard)
{
    struct buffer name;
    buffer_init(&name, 1024);
    for (unsigned n = 0; server_listener_name(server, n, &name); n++) {
        log_line(LOG_INFO, "Listening on", (struct log_field){"address", buffer_slice(&name)});
        guard_log_address(guard, buffer_slice(&name));
        buffer_clear(&name);
    }
    buffer_deinit(&name);
}
