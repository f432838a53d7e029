/*
 * The HTTP server: listeners, connections, limits. It routes nothing and knows no metric: each request goes
 * to one handler, which answers at once or later.
 *
 * A connection handles one request at a time; pipelined ones wait in its buffer, and nothing is read while an
 * answer is due or being sent. The life of a connection:
 *
 *     [securing] (TLS)
 *        |
 *     reading --(whole head)--> handling --(respond/stream)--> sending --(last byte)--> reading | closed
 *        |                         |
 *        +--(bad head, 408, idle)--+--> closed
 *
 * Time limits are kept by one sweep over all connections, so a connection may live up to half a second longer
 * than its limit says.
 */
#ifndef HTTP_SERVER_H
#define HTTP_SERVER_H

#include "base/buffer.h"
#include "base/producer.h"
#include "base/slice.h"
#include "http/request.h"
#include "http/response.h"
#include "net/address.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct server;

/* One request and its answer. */
struct exchange;

/*
 * Called once for each request. The request's slices are good until the exchange is answered. The handler
 * answers with exchange_respond or exchange_stream, inside this call or later.
 */
typedef void (*server_handler_fn)(void *context, struct exchange *exchange, const struct request *request);

/*
 * Says under which context the handshake of a new connection begins, which the connection then holds for
 * itself. NULL: the connection is closed.
 */
typedef struct tls_context *(*server_secure_fn)(void *context);

struct server_limits {
    unsigned max_connections;   /* a further one is answered with 503, unless an older one can be closed */
    unsigned max_unread;        /* answers whose clients do not read; one more, and one of them is cut off */
    unsigned head_timeout_ms;   /* for a whole request head, else 408; for a TLS handshake, closed */
    unsigned idle_timeout_ms;   /* between requests; also while a client takes nothing of its answer */
    unsigned answer_timeout_ms; /* from the first byte of an answer to its last, however slowly it is taken */
};

struct server_counts {
    unsigned open;      /* connections now */
    uint64_t refused;   /* requests that no handler saw: malformed, too large, too slow, with a body */
    uint64_t accepted;  /* ever, the rejected ones included */
    uint64_t rejected;  /* for max_connections */
    uint64_t displaced; /* connections that were closed to make room for another one */
    uint64_t stalled;   /* answers that were cut off to make room, since their clients did not read */
    uint64_t yielded;   /* requests that were told 503 while they were worked on, for another address */
    uint64_t failed;    /* connections that could not be accepted for lack of descriptors or memory */
    uint64_t insecure;  /* whose TLS handshake failed, or did not end in time */
};

/* What became of one answer that was begun. */
struct answer_report {
    const char *handler; /* as exchange_set_handler named it; NULL for a request that no handler saw */
    int status;
    uint64_t bytes;       /* handed to the kernel, head included */
    uint64_t duration_ns; /* from the whole head of the request to the last byte, or to the end of the
                             connection */
};

typedef void (*server_observer_fn)(void *context, const struct answer_report *answer);

typedef void (*server_close_fn)(void *context);

/* 0 or UV_ENOMEM. `handler` and its context are borrowed for the life of the server. */
int server_new(struct server **server, uv_loop_t *loop, const struct server_limits *limits,
               server_handler_fn handler, void *context);

/*
 * Every connection begins with a TLS handshake from now on. A client that speaks HTTP without it is told so,
 * in plain HTTP. Both are borrowed for the life of the server.
 */
void server_secure(struct server *server, server_secure_fn secure, void *context);

/*
 * Binds and listens. An empty host means every interface, IPv6 and IPv4 on one socket where the system has
 * IPv6. A name is looked up here, blocking, since nothing runs yet, and stands for one address. The stale
 * socket file of a dead server is removed; a live one, or a file that is no socket, is UV_EADDRINUSE. 0 or a
 * negative libuv code. May be called again for another address.
 */
int server_listen(struct server *server, const struct address *address);

/* Takes over a stream socket that is bound, such as one of systemd's, also on failure. 0 or a negative libuv
 * code. */
int server_listen_descriptor(struct server *server, int descriptor);

/* Appends the n-th listener's address with the port that it got. False when there is no such listener. */
bool server_listener_name(const struct server *server, unsigned n, struct buffer *out);

struct server_counts server_counts(const struct server *server);

/* Lowers or raises limits.max_connections, when the descriptors allow another number. */
void server_limit_connections(struct server *server, unsigned max_connections);

/* Calls `observer` at the end of each answer. Both are borrowed for the life of the server. */
void server_observe(struct server *server, server_observer_fn observer, void *context);

/* Names the handler, for the observer; the text lives as long as the server. */
void exchange_set_handler(struct exchange *exchange, const char *handler);

/* The index of the listener that accepted the client, as for server_listener_name. */
unsigned exchange_listener(const struct exchange *exchange);

/* Adds headers to the answer, each with its line end; copied. Before the exchange is answered. */
void exchange_set_headers(struct exchange *exchange, struct slice headers);

/* Answers with a short body, copied before the call returns. HEAD gets the head alone. */
void exchange_respond(struct exchange *exchange, const struct response *response, struct slice body);

/*
 * Answers with a body that is asked for piece by piece as it is sent, and compressed when the client likes
 * that. The body is taken over, also when the client is gone. The texts of the response must stay until the
 * body is released. An answer that fits into one piece gets a Content-Length. For HEAD nothing is asked for,
 * and the body is released at once.
 */
void exchange_stream(struct exchange *exchange, const struct response *response, struct producer *body);

/*
 * For a handler that limits how many requests are worked on at once: takes one of `places` for this one,
 * which is not answered yet. The place is given back when the body of the answer is made, or when the work
 * is aborted. When all are held, another request may lose its place, as connection_pool.h says: its answer
 * is cut off, or its handler is told to abort and its client 503. False when there is no place: say so to
 * the client.
 */
bool exchange_take_place(struct exchange *exchange, unsigned places);

/*
 * Sets what is called when the exchange ends before it is answered: the server was told to stop and its
 * grace is over, or another request needs the place. The server tells the client 503. The handler must then
 * drop its work and never answer. It is not called any more after exchange_respond or exchange_stream; NULL
 * takes it back. A handler that answers later and has set no callback must answer even then, though nobody
 * hears it: the server's close waits for that.
 */
void exchange_on_abort(struct exchange *exchange, void (*on_abort)(void *context), void *context);

/*
 * Stops listening and closes idle connections at once. Answers that are due may be sent for up to `grace_ms`.
 * Then the clients that the handler still works for are told 503, and a moment later everything is closed.
 * Frees the server and calls on_close once, from the loop.
 */
void server_close(struct server *server, unsigned grace_ms, server_close_fn on_close, void *context);

#endif
