/*
 * One listening socket: TCP, unix-domain, or any other stream socket given as a descriptor. Private to http/.
 */
#ifndef HTTP_LISTENER_H
#define HTTP_LISTENER_H

#include "base/buffer.h"
#include "base/list.h"
#include "net/address.h"
#include "net/work_budget.h"

#include <stdbool.h>
#include <uv.h>

struct listener;

typedef void (*listener_fn)(struct listener *listener);
typedef void (*listener_failed_fn)(struct listener *listener, int status);

struct listener {
    struct link link; /* the owner's */
    void *context;    /* the owner's */
    unsigned number;  /* the owner's */
    bool stalled;     /* the owner's: true if a waiting connection could not be accepted yet */
    bool handed_over; /* the owner's: true if another process opened the socket */
    uv_loop_t *loop;
    struct work_budget *work; /* borrowed */
    /* Waits for a turn of the loop in which the next connection is accepted. */
    struct work_budget_ticket ticket;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    };
    listener_fn on_connection;
    listener_failed_fn on_failed;
    listener_fn on_close;
};

/*
 * Initialises a listener. on_connection runs when a connection waits; the owner accepts it from `stream`.
 * on_failed runs with a negative libuv code when the system could not give a connection; the listener
 * continues. When many clients connect at once, each turn of the loop accepts only as many as `work` allows.
 */
void listener_init(struct listener *listener, uv_loop_t *loop, struct work_budget *work,
                   listener_fn on_connection, listener_failed_fn on_failed, void *context);

/*
 * Binds and listens; see server_listen. Returns 0 or a negative libuv code. In both cases the owner must call
 * listener_close. Call only one of listener_open and listener_open_descriptor, once.
 */
int listener_open(struct listener *listener, const struct address *address);

/* Listens on a bound stream socket, like listener_open. Takes over `descriptor`, also on failure. */
int listener_open_descriptor(struct listener *listener, int descriptor);

/*
 * Closes the listener and removes the socket file that listener_open made. Calls on_close once, from the
 * loop.
 */
void listener_close(struct listener *listener, listener_fn on_close);

/* Appends the actual address, with the port that the system chose. */
void listener_append_name(const struct listener *listener, struct buffer *out);

#endif
