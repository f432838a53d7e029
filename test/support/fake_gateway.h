/*
 * A scripted HTTP server on a loopback port, on the loop of the test, that takes requests with chunked bodies
 * and remembers the last one.
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
    char *bytes; /* what has arrived of the request */
    size_t len;
    bool open;
};

struct fake_gateway {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    /* The script; may be changed between requests. */
    const char *reply;     /* sent behind each whole request; NULL: silence */
    bool close_unanswered; /* a request gets the end of the connection for an answer */
    bool close_after_reply;
    /* What happened. */
    unsigned accepted, requests, cut; /* cut: connections that ended in the middle of a request */
    char methods[16];                 /* the first letter of each request: "PPD" */
    char head[4096];                  /* of the last request */
    char *body;                       /* likewise, without the framing; owned */
    size_t body_len;
    struct fake_gateway_connection connections[FAKE_GATEWAY_CONNECTIONS];
};

void fake_gateway_start(struct fake_gateway *gateway, uv_loop_t *loop);

/* Sends the reply that a request was left without. */
void fake_gateway_answer(struct fake_gateway *gateway, const char *reply);

/* Ends the open connections; goes on listening. */
void fake_gateway_drop(struct fake_gateway *gateway);

/* Ends everything; the memory is free once the loop has run out, but for the body. */
void fake_gateway_stop(struct fake_gateway *gateway);

/* After the loop is closed. */
void fake_gateway_deinit(struct fake_gateway *gateway);

#endif
