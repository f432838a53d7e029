/* A loop with a scripted name server, for the tests of name resolution. */
#ifndef SUPPORT_DNS_WORLD_H
#define SUPPORT_DNS_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns_server.h"
#include "loop.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct dns_world {
    uv_loop_t loop;
    struct dns_server server;
    char servers[32];     /* the server as a list, for dns_new and resolver_new */
    char config_path[64]; /* path of a resolv.conf file; or "" */
    unsigned closed;      /* number of calls of dns_world_on_closed */
};

/* Opens the world, with the server on a free port of a loopback address. */
static inline void dns_world_open(struct dns_world *world)
{
    memset(world, 0, sizeof(*world));
    loop_open(&world->loop);
    dns_server_start(&world->server, &world->loop, "127.0.0.1", 0);
    snprintf(world->servers, sizeof(world->servers), "127.0.0.1:%d", world->server.port);
}

/*
 * Opens the world, with the server on port 53, for files that cannot name a port. Returns false if port 53
 * cannot be bound.
 */
static inline bool dns_world_open_on_port_53(struct dns_world *world, const char *host)
{
    memset(world, 0, sizeof(*world));
    loop_open(&world->loop);
    dns_server_start(&world->server, &world->loop, host, 53);
    if (!world->server.port) print_message("# port 53 is not free to use here: passed over\n");
    return world->server.port != 0;
}

static inline void dns_world_configure(struct dns_world *world, const char *text)
{
    snprintf(world->config_path, sizeof(world->config_path), "/tmp/test_dns_world.%d", (int) getpid());
    FILE *file = fopen(world->config_path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

/* An on_close callback that counts its calls. `context` is &world->closed. */
static inline void dns_world_on_closed(void *context)
{
    ++*(unsigned *) context;
}

/*
 * Closes the world. All users of the server must have begun to close. Checks that `parts` of them have called
 * dns_world_on_closed.
 */
static inline void dns_world_close(struct dns_world *world, unsigned parts)
{
    dns_server_stop(&world->server);
    if (world->config_path[0]) unlink(world->config_path);
    loop_close(&world->loop);
    assert_int_equal(world->closed, parts);
}

#endif
