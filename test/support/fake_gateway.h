/*
 * A scripted HTTP server on a loopback port, on the test's loop. It accepts requests with chunked bodies and
 * remembers the last one.
 */
#ifndef SUPPORT_FAKE_GATEWAY_H
#define SUPPORT_FAKE_GATEWAY_H

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

#define FAKE_GATEWAY_CONNECTIONS 64

struct fake_gateway;

struct fake_gateway_connection {
    struct fake_gateway *gateway;
    uv_tcp_t tcp;
    uv_write_t write;
    char *bytes; /* received part of the request */
    size_t len;
    bool open;
};

struct fake_gateway {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    /* The script; may be changed between requests. */
    const char *reply;     /* sent after each complete request; NULL: no reply */
    bool close_unanswered; /* true: a request closes the connection without a reply */
    bool close_after_reply;
    /* Records for the test to check. */
    unsigned accepted, requests, cut; /* cut: number of connections that ended in the middle of a request */
    char methods[16];                 /* first letter of each request's method: "PPD" */
    char head[4096];                  /* head of the last request */
    char *body;                       /* body of the last request, without the chunks' framing; owned */
    size_t body_len;
    struct fake_gateway_connection connections[FAKE_GATEWAY_CONNECTIONS];
};

void fake_gateway_start(struct fake_gateway *gateway, uv_loop_t *loop);

/* Replies to a request that had no reply so far. */
void fake_gateway_answer(struct fake_gateway *gateway, const char *reply);

/* Closes all connections, but keeps listening. */
void fake_gateway_drop(struct fake_gateway *gateway);

/*
 * Closes the listener and all connections. When the loop has nothing left to run, call fake_gateway_deinit.
 */
void fake_gateway_stop(struct fake_gateway *gateway);

/* Frees the body. Call it after the loop is closed. */
void fake_gateway_deinit(struct fake_gateway *gateway);

#endif
