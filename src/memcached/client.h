/*
 * One memcached server: a connection that is kept, and at most one poll under way.
 *
 * A poll asks all stats commands in one write and reads their replies in order. Whoever asks while a poll is
 * under way joins it and gets the same snapshot. A client keeps no deadline: each one who waits gives up when
 * its own is over, and the poll ends when nobody waits any more.
 */
#ifndef MEMCACHED_CLIENT_H
#define MEMCACHED_CLIENT_H

#include "base/list.h"
#include "memcached/snapshot.h"
#include "net/address.h"
#include "net/dialer.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one read. Every client reads into the same memory and keeps only the piece of a line that is left
 * over. */
#define CLIENT_READ_SIZE (64 * 1024)

/* What all clients of a fleet share; borrowed. */
struct client_shared {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct gate gate;
    unsigned commands; /* set of commands that a poll asks */
    size_t max_reply;  /* bytes that a server may send in one poll */
    bool keep;         /* keep connections between polls */
    struct buffer request;
    char read_buffer[CLIENT_READ_SIZE];
};

enum client_phase {
    CLIENT_IDLE,    /* no connection, no poll */
    CLIENT_DIALING, /* a poll waits for a connection */
    CLIENT_ASKING,  /* a poll is under way */
    CLIENT_KEPT,    /* no poll; the connection is kept */
    CLIENT_CLOSING, /* the connection is being closed; a poll may wait for it */
};

struct client;
struct poll;

/* `snapshot` is finished and one reference of it is the callee's. */
typedef void (*poll_fn)(struct poll *poll, struct snapshot *snapshot);

/* One who waits for a poll; embedded in its owner. */
struct poll {
    struct link link;
    struct client *client;
    poll_fn on_done;
};

typedef void (*client_close_fn)(struct client *client);

struct client {
    struct client_shared *shared; /* borrowed */
    struct address address;
    char *name; /* canonical address, owned; the key under which a fleet finds it */
    enum client_phase phase;
    struct stream stream;
    struct dialer dialer;
    struct list polls;         /* who waits; each finds its poll by its link */
    struct snapshot *snapshot; /* of the poll that is under way; owned */
    struct buffer rest;        /* the beginning of a line whose end has not arrived */
    uint64_t started_ns;       /* of the poll */
    uint64_t used_ns;          /* last end of a poll */
    size_t received;           /* bytes in this poll */
    unsigned replied;          /* set of commands whose reply, or refusal, is whole */
    bool judged;        /* the poll's verdict is passed; it is reported when its connection is closed */
    bool reported_down; /* what the log said last */
    client_close_fn on_close;
    struct link link; /* of the fleet */
    unsigned users;   /* of the fleet: targets that hold it */
};

/* NULL when out of memory. */
struct client *client_new(struct client_shared *shared, const struct address *address);

/* Frees a client that has never been polled. */
void client_free(struct client *client);

void poll_init(struct poll *poll);

/*
 * Asks the server, or joins the poll that is under way. 0: on_done runs exactly once, from the loop, never
 * inside this call, unless the caller gives up. UV_ENOMEM: never.
 */
int client_poll(struct client *client, struct poll *poll, poll_fn on_done);

/*
 * The caller's deadline is over: returns a finished snapshot of what has arrived (up, if that holds the whole
 * `stats` reply), the caller's to release, or NULL when out of memory. on_done will not run.
 */
struct snapshot *poll_give_up(struct poll *poll);

/* Whether there is nothing that a poll could reuse: no connection and no poll. */
bool client_is_idle(const struct client *client);

/* Closes a kept connection that was last used before that time. */
void client_close_unused(struct client *client, uint64_t before_ns);

/* Closes the connection and frees the client; on_close runs once, from the loop, just before. Nobody may be
 * waiting (asserted). */
void client_close(struct client *client, client_close_fn on_close);

#endif
