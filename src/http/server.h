/*
 * The HTTP server: listeners, connections, limits. It has no routes and knows no metrics. Each request goes
 * to one handler, which answers at once or later.
 *
 * A connection handles one request at a time. Pipelined requests wait in its buffer. The connection reads
 * nothing while an answer is due or being sent. The life of a connection:
 *
 *     [securing] (TLS)
 *        |
 *     reading --(complete head)--> handling --(respond/stream)--> sending --(last byte)--> reading | closed
 *        |                            |
 *        +--(bad head, 408, idle)-----+--> closed
 *
 * A timer checks the time limits of all connections every half a second. So a connection may exceed a limit
 * by up to half a second.
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
 * Runs once for each request. The slices of the request stay valid until the exchange is answered. The
 * handler answers with exchange_respond or exchange_stream, inside this call or later.
 */
typedef void (*server_handler_fn)(void *context, struct exchange *exchange, const struct request *request);

/*
 * Returns the TLS context for the handshake of a new connection. The connection takes its own reference to
 * it. NULL closes the connection.
 */
typedef struct tls_context *(*server_secure_fn)(void *context);

struct server_limits {
    /* Beyond that, a client gets 503, unless an older connection can be closed. */
    unsigned max_connections;
    unsigned max_unread; /* most answers whose clients do not read; beyond that, one is cut off */
    /* Time for a complete request head, else 408; for a TLS handshake, else close. */
    unsigned head_timeout_ms;
    /* Time between requests; also the time in which a client reads nothing of its answer. */
    unsigned idle_timeout_ms;
    /* Time from the first byte of an answer to its last, even if the client keeps reading. */
    unsigned answer_timeout_ms;
};

struct server_counts {
    unsigned open; /* connections that are open now */
    /* Requests that were refused before the handler: malformed, too large, too slow, with a body. */
    uint64_t refused;
    uint64_t accepted;  /* all accepted connections, including rejected ones */
    uint64_t rejected;  /* connections that were rejected because of max_connections */
    uint64_t displaced; /* connections that were closed to make room for another one */
    uint64_t stalled;   /* answers that were cut off to make room, because their clients did not read */
    uint64_t yielded;   /* requests that lost their place to another address and were told 503 */
    uint64_t failed;    /* connections that could not be accepted for lack of descriptors or memory */
    uint64_t insecure;  /* connections whose TLS handshake failed or did not finish in time */
};

/* The result of one answer. */
struct answer_report {
    const char *handler; /* handler's name from exchange_set_handler; NULL if no handler saw the request */
    int status;
    uint64_t bytes; /* bytes given to the kernel, including the head */
    /* Time from the complete head of the request to the last byte, or to the end of the connection. */
    uint64_t duration_ns;
};

typedef void (*server_observer_fn)(void *context, const struct answer_report *answer);

typedef void (*server_close_fn)(void *context);

/*
 * Creates a server without listeners. Returns 0 or UV_ENOMEM. `handler` and `context` are borrowed for the
 * life of the server.
 */
int server_new(struct server **server, uv_loop_t *loop, const struct server_limits *limits,
               server_handler_fn handler, void *context);

/*
 * Makes every new connection begin with a TLS handshake. A client that sends HTTP without TLS gets an error
 * in plain HTTP. `secure` and `context` are borrowed for the life of the server.
 */
void server_secure(struct server *server, server_secure_fn secure, void *context);

/*
 * Binds and listens. An empty host means every interface: IPv6 and IPv4 on one socket, or IPv4 alone where
 * the system has no IPv6. A host name is resolved to one address; this blocks, since nothing else runs yet.
 * The socket file of a dead server is removed. If the server is alive, or the file is not a socket, the
 * result is UV_EADDRINUSE. Returns 0 or a negative libuv code. May be called again for another address.
 */
int server_listen(struct server *server, const struct address *address);

/*
 * Listens on a bound stream socket, such as one from systemd. Takes over `descriptor`, also on failure.
 * Returns 0 or a negative libuv code.
 */
int server_listen_descriptor(struct server *server, int descriptor);

/*
 * Appends the address of the n-th listener, with its actual port. Returns false if there is no such listener.
 */
bool server_listener_name(const struct server *server, unsigned n, struct buffer *out);

struct server_counts server_counts(const struct server *server);

/* Changes limits.max_connections. For when the number of available descriptors changes. */
void server_limit_connections(struct server *server, unsigned max_connections);

/*
 * Calls `observer` at the end of each answer. `observer` and `context` are borrowed for the life of the
 * server.
 */
void server_observe(struct server *server, server_observer_fn observer, void *context);

/* Sets the handler's name for the observer. The text must stay valid as long as the server. */
void exchange_set_handler(struct exchange *exchange, const char *handler);

/* Returns the index of the listener that accepted the client, as for server_listener_name. */
unsigned exchange_listener(const struct exchange *exchange);

/* Sets additional headers of the answer, each with its line end. Copies them. Call it before the answer. */
void exchange_set_headers(struct exchange *exchange, struct slice headers);

/* Answers with a short body, which is copied. The answer to HEAD has no body. */
void exchange_respond(struct exchange *exchange, const struct response *response, struct slice body);

/*
 * Answers with a body that is produced piece by piece while it is sent, and compressed if the client prefers
 * that. Takes over `body`, even if the client is gone. The texts of `response` must stay valid until the body
 * is released. An answer that fits into one piece gets a Content-Length. For HEAD the body is released at
 * once, and no piece is produced.
 */
void exchange_stream(struct exchange *exchange, const struct response *response, struct producer *body);

/*
 * Takes one of `places` for this request, for a handler that limits concurrent requests. The request must not
 * be answered yet. The place is given back when the whole body has been produced or the request is aborted.
 * When all places are taken, another request may lose its place (see connection_pool.h). Then its answer is
 * cut off, or its handler is told to abort and its client gets 503. Returns false if there is no place; the
 * caller must then answer that.
 */
bool exchange_take_place(struct exchange *exchange, unsigned places);

/*
 * Sets the callback for when the exchange ends before it is answered: the server stops and the grace time is
 * over, or another request needs the place. The server then tells the client 503. The handler must drop its
 * work and never answer. The callback does not run after exchange_respond or exchange_stream. NULL removes
 * it.
 *
 * Without a callback, a handler must always answer, even if the client is gone. The closing of the server
 * waits for that answer.
 */
void exchange_on_abort(struct exchange *exchange, void (*on_abort)(void *context), void *context);

/*
 * Closes idle connections at once, and sockets of server_listen_descriptor. Answers in progress may continue
 * for up to `grace_ms`; meanwhile every other request is answered with 503. Then clients whose handler still
 * works get 503, and a moment later everything is closed. Frees the server and calls on_close once, from the
 * loop.
 */
void server_close(struct server *server, unsigned grace_ms, server_close_fn on_close, void *context);

#endif
