/* One listening socket: TCP, unix-domain, or of another kind by its descriptor. Private to http/. */
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
    bool stalled;     /* the owner's: a connection could not be taken yet */
    uv_loop_t *loop;
    struct work_budget *work;         /* borrowed */
    struct work_budget_ticket ticket; /* waits for a turn in which the next connection is taken */
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
 * on_connection: a connection waits, which the owner accepts from `stream`. on_failed: one could not be taken
 * from the system, with a negative libuv code; the listener goes on. Of a crowd that comes at once, each turn
 * of the loop takes as many as `work` allows.
 */
void listener_init(struct listener *listener, uv_loop_t *loop, struct work_budget *work,
                   listener_fn on_connection, listener_failed_fn on_failed, void *context);

/*
 * Binds and listens; see server_listen. 0 or a negative libuv code. After either, listener_close is the only
 * way out. At most one of the two is called.
 */
int listener_open(struct listener *listener, const struct address *address);

/* The same for a descriptor of a stream socket that is bound; it is taken over, also when this fails. */
int listener_open_descriptor(struct listener *listener, int descriptor);

/* Calls on_close once, from the loop. The file of a unix socket that listener_open has made is removed. */
void listener_close(struct listener *listener, listener_fn on_close);

/* Where it really listens: with the port that the system chose. */
void listener_append_name(const struct listener *listener, struct buffer *out);

#endif
