/*
 * One memcached server: a connection that is kept, and at most one poll under way.
 *
 * A poll asks a set of stats commands and reads their replies in order, and ends in a snapshot. poll.h says
 * how it is asked for, and who shares it.
 */
#ifndef MEMCACHED_CLIENT_H
#define MEMCACHED_CLIENT_H

#include "base/list.h"
#include "memcached/profile.h"
#include "memcached/session.h"
#include "memcached/snapshot.h"
#include "net/address.h"
#include "net/dialer.h"
#include "net/read_budget.h"
#include "net/stream.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of one read. Every client reads into the same memory and keeps only the piece of a line that is left
 * over. */
#define CLIENT_READ_SIZE (64 * 1024)

/* What the clients of a fleet have done since the start. */
struct client_counts {
    uint64_t opened;    /* connections that were made */
    uint64_t open;      /* connections now */
    uint64_t reused;    /* polls that used a kept connection */
    uint64_t coalesced; /* polls that joined one under way */
    uint64_t bytes_read, bytes_written;
};

struct client;

/* Told of every poll that has ended, once, however many waited for it. */
typedef void (*client_poll_fn)(void *context, const struct client *client, const struct snapshot *snapshot);

/* What all clients of a fleet share; borrowed. */
struct client_shared {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter limiter;
    struct read_budget budget;  /* of all of them */
    size_t max_reply;           /* bytes that a server may send in one poll */
    size_t max_prefixes;        /* key prefixes that are told apart */
    struct memory_pool *memory; /* of all snapshots; held; or NULL */
    bool keep;                  /* keep connections between polls */
    struct client_counts counts;
    client_poll_fn on_poll; /* or NULL */
    void *on_poll_context;
    char read_buffer[CLIENT_READ_SIZE];
};

enum client_phase {
    CLIENT_IDLE,    /* no connection, no poll */
    CLIENT_DIALING, /* a poll waits for a connection */
    CLIENT_ASKING,  /* a poll is under way */
    CLIENT_KEPT,    /* no poll; the connection is kept */
    CLIENT_CLOSING, /* the connection is being closed; a poll may wait for it */
};

typedef void (*client_close_fn)(struct client *client);

/* Under which a fleet finds a client; profiles that make the same connections are equal. */
struct client_key {
    char *name; /* canonical address, owned by the client, NUL-terminated */
    struct profile *profile;
};

struct client {
    struct client_shared *shared; /* borrowed */
    struct address address;
    struct client_key key; /* owned; the profile is held */
    enum client_phase phase;
    struct stream stream;
    struct dialer dialer;
    struct list polls;              /* who waits for the poll under way; each finds its poll by its link */
    struct snapshot *snapshot;      /* of the poll that is under way; owned */
    unsigned commands;              /* set of commands that it wants */
    struct list next_polls;         /* who waits for the next poll */
    struct snapshot *next_snapshot; /* owned; NULL while nobody waits for it */
    unsigned next_commands;
    struct session session; /* of the poll under way, on its connection */
    char request[COMMAND_REQUESTS_MAX];
    struct buffer rest;  /* the beginning of a line whose end has not arrived */
    uint64_t started_ns; /* of the poll */
    uint64_t asked_ns;   /* when its first requests were sent */
    uint64_t used_ns;    /* last end of a poll */
    size_t received;     /* bytes in this poll */
    bool judged;         /* the poll's verdict is passed; it is reported when its connection is closed */
    bool given_up;       /* the poll has been, by one of those who waited for it */
    bool restarted;      /* the poll has been, for one who asked later */
    bool connected;      /* the stream leads to the server; for the counts */
    bool reported_down;  /* what the log said last */
    client_close_fn on_close;
    struct link link;    /* of the fleet */
    unsigned users;      /* of the fleet: targets that hold it */
    unsigned configured; /* those of them whose profile has no policy */
};

/* Holds the profile, whose policy judges what the address is resolved to. NULL when out of memory. */
struct client *client_new(struct client_shared *shared, const struct address *address,
                          struct profile *profile);

/* Frees a client that has no connection and no poll. */
void client_free(struct client *client);

/* Whether there is nothing that a poll could reuse: no connection and no poll. */
bool client_is_idle(const struct client *client);

/* Closes a kept connection that was last used before that time; whether there was one. */
bool client_close_unused(struct client *client, uint64_t before_ns);

/* Closes the connection and frees the client; on_close runs once, from the loop, just before. Nobody may be
 * waiting (asserted). */
void client_close(struct client *client, client_close_fn on_close);

/* --- For poll.c --- */

/* Begins the poll of client->snapshot, or leaves that to the close of a connection that is being closed. */
void client_begin(struct client *client);

/* Passes the verdict on the poll that is under way; the first one counts. */
void client_judge(struct client *client, enum target_state state, const char *error);

/* Ends the connection, or the attempt to make one. What of a poll is not judged then begins again. */
void client_disconnect(struct client *client);

/* Ends the poll that is under way, which is judged and nobody waits for. */
void client_abandon(struct client *client);

#endif
