#include "web/listen.h"

#include "base/log.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <unistd.h>

#define HTTP_PORT 9150

/* The first descriptor that systemd passes, sd_listen_fds(3). */
#define SYSTEMD_FIRST_DESCRIPTOR 3

/* Sockets that systemd has opened for this process, as sd_listen_fds(3) tells them. */
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

/* The value comes from the user and may hold anything. */
static void append_value(struct buffer *error, const char *value)
{
    buffer_append_string(error, "--web.listen-address: \"");
    utf8_append_escaped(error, slice_of(value));
    buffer_append_string(error, "\": ");
}

static int listen_address(struct server *server, const char *text, struct buffer *error)
{
    struct address address;
    const char *expected = address_parse_listen(&address, slice_of(text), HTTP_PORT);
    int result = expected ? UV_EINVAL : server_listen(server, &address);
    if (result == 0) return 0;
    append_value(error, text);
    if (expected) {
        buffer_printf(error, "expected %s", expected);
        return UV_EINVAL;
    }
    buffer_append_string(error, uv_strerror(result));
    /* UV_EINVAL stands for a malformed address. This one is well-formed, but cannot be used. */
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

/* The official exporter logs these words, and people search for them. */
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
