/*
 * A scripted memcached on a loopback port, on the test's loop. It shows behaviour that a real memcached
 * cannot be made to show.
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

/*
 * Returns the answer to a request, NUL-terminated and valid until it is sent, or NULL for none. `request`
 * ends with NUL.
 */
typedef const char *(*fake_answer_fn)(struct fake_connection *connection, const char *request);

struct fake_server {
    uv_loop_t *loop;
    uv_tcp_t listener;
    int port;
    /* The script; may be changed between polls. */
    const char *greeting;      /* sent on each new connection; or NULL */
    fake_answer_fn answer;     /* makes the answers, if it is not NULL; the lines below do nothing then */
    void *context;             /* for `answer` */
    const char *reply;         /* sent for each request; NULL: no reply */
    size_t reply_len;          /* length of `reply`; 0: up to its NUL */
    const char *second_reply;  /* sent instead of `reply` for every second request of a connection; or NULL */
    bool close_after_reply;    /* true: close the connection after the reply */
    unsigned close_unanswered; /* number of further requests that close the connection without a reply */
    /* Records for the test to check. */
    unsigned accepted, requests;
    char heard[4096]; /* all requests, concatenated, as far as they fit; ends with NUL */
    struct fake_connection connections[FAKE_CONNECTIONS_MAX];
};

void fake_server_start(struct fake_server *server, uv_loop_t *loop);

/*
 * Sends a text on a connection. The last one must have been sent. The text must stay valid until it is sent.
 */
void fake_server_say(struct fake_connection *connection, const char *text, size_t len);

/* Closes all connections, as a restart does, but keeps listening. */
void fake_server_drop(struct fake_server *server);

/* Closes the listener and all connections. The memory may be freed when the loop has nothing left to run. */
void fake_server_stop(struct fake_server *server);

#endif
