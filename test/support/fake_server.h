/*
 * A scripted memcached on a loopback port, on the loop of the test: for what a real one cannot be made to
 * show.
 */
#ifndef SUPPORT_FAKE_SERVER_H
#define SUPPORT_FAKE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define FAKE_CONNECTIONS_MAX 32

struct fake_server;

struct fake_connection {
    struct fake_server *server;
    uv_tcp_t tcp;
    uv_write_t write;
    char bytes[4096];
    bool open;
    unsigned requests;
};

struct fake_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    /* The script; may be changed between polls. */
    const char *greeting;      /* sent when a connection arrives, or NULL */
    const char *reply;         /* sent for each request that arrives; NULL: silence */
    size_t reply_len;          /* of the reply; 0: up to its NUL */
    const char *second_reply;  /* sent for every second request of a connection instead, or NULL */
    bool close_after_reply;    /* the connection ends behind the reply */
    unsigned close_unanswered; /* so many next requests get the end of the connection for an answer */
    /* What happened. */
    unsigned accepted, requests;
    char heard[4096]; /* the requests, one behind the other, until there is no room; ends with NUL */
    struct fake_connection connections[FAKE_CONNECTIONS_MAX];
};

void fake_server_start(struct fake_server *server, uv_loop_t *loop);

/* Ends the open connections, as a server that is restarted does; goes on listening. */
void fake_server_drop(struct fake_server *server);

/* Ends everything; the memory is free once the loop has run out. */
void fake_server_stop(struct fake_server *server);

#endif
