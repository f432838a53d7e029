/*
 * One memcached server: a connection that is kept, and at most one poll under way. An idle client is small:
 * what a poll needs comes and goes with it.
 *
 * A poll asks a set of stats commands and reads their replies in order, and ends in a snapshot. poll.h says
 * how it is asked for, and who shares it.
 */
#ifndef MEMCACHED_CLIENT_H
#define MEMCACHED_CLIENT_H

#include "base/list.h"
#include "memcached/channel.h"
#include "memcached/history.h"
#include "memcached/profile.h"
#include "memcached/resumption.h"
#include "memcached/snapshot.h"
#include "memcached/stall.h"
#include "memcached/target_state.h"
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
    uint64_t stalled;   /* kept connections that said nothing, so that another was dialled beside them */
    uint64_t bytes_read, bytes_written;
    uint64_t refused[POLICY_GROUNDS]; /* polls that a policy ended, by what forbids */
};

struct client;

/* Told of every poll that has ended, once, however many waited for it. */
typedef void (*client_poll_fn)(void *context, const struct client *client, const struct snapshot *snapshot);

/* What all clients of a fleet share; borrowed. */
struct client_shared {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter limiter;
    struct read_budget budget; /* of all of them */
    struct stall stall;
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
};

/* Under which a fleet finds a client; profiles that make the same connections are equal. */
struct client_key {
    char *name; /* canonical address, owned by the client, NUL-terminated */
    struct profile *profile;
};

struct client {
    struct client_shared *shared; /* borrowed */
    struct address address;
    struct client_key key; /* owned; the profile is held */
    struct dial_record record;
    struct resumption resumption;    /* of TLS */
    const struct protocol *protocol; /* the protocol that its server is asked in */
    struct stream *kept;             /* the connection between two polls; owned, as are the next ones */
    struct dialer *dialer;           /* while it dials for the poll */
    struct channel *channels[2];     /* of the poll, the older one first; NULL for none */
    struct list polls;               /* who waits for the poll under way; each finds its poll by its link */
    struct snapshot *snapshot;       /* of the poll that is under way; held */
    unsigned commands;               /* set of commands that it wants */
    unsigned next_commands;          /* of the next poll */
    struct list next_polls;          /* who waits for the next poll */
    struct snapshot *next_snapshot;  /* owned; NULL while nobody waits for it */
    uint64_t started_ns;             /* of the poll */
    uint64_t admitted_ns;            /* when the limiter let its first dial through; 0: it has not */
    uint64_t asked_ns;               /* when its first requests were sent */
    uint64_t used_ns;                /* last end of a poll */
    bool judged;                     /* the poll's verdict is passed */
    bool given_up;                   /* the poll has been, by one of those who waited for it */
    bool restarted;                  /* the poll has been, at least once, for one who asked later */
    struct stall_patience patience;  /* with a kept connection */
    uint64_t reported;               /* why it is down, as far as the log has said */
    struct snapshot_remark remark;   /* what the log said last of an answer */
    struct history *history;         /* of its polls; owned; NULL before the first, or without memory */
    struct link link;                /* of the fleet */
    unsigned users;                  /* of the fleet: targets that hold it */
    unsigned configured;             /* those of them whose profile has no policy */
};

/* Holds the profile, whose policy judges what the address is resolved to. NULL when out of memory. */
struct client *client_new(struct client_shared *shared, const struct address *address,
                          struct profile *profile);

/* Closes the connection and frees the client, which must have no poll (asserted). */
void client_free(struct client *client);

enum client_phase client_phase(const struct client *client);

/* Closes a kept connection that was last used before that time; whether there was one. */
bool client_close_unused(struct client *client, uint64_t before_ns);

/* Sets the loop and what clients use of it; the other fields are the caller's. stall_close ends it. */
void client_shared_init(struct client_shared *shared, uv_loop_t *loop);

/* --- For poll.c --- */

/* A snapshot to be filled by a poll of these commands; NULL when out of memory. */
struct snapshot *client_new_snapshot(const struct client *client, unsigned commands);

/* Begins the poll of client->snapshot. 0 or UV_ENOMEM; then nothing is under way. */
int client_begin(struct client *client);

/* Passes the verdict on the poll that is under way; the first one counts. */
void client_judge(struct client *client, enum target_state state, const char *error);

/* Begins the poll that is under way again, on a new connection. */
void client_restart(struct client *client);

/* Ends the poll that is under way, which is judged and nobody waits for. */
void client_abandon(struct client *client);

/* --- For channel.c --- */

/* The channel of that stream, or NULL for a stream that is kept. */
struct channel *client_channel(const struct client *client, const struct stream *stream);

/* The first bytes are there. */
void client_heard(struct client *client, struct channel *channel);

/* Every reply is in. `clean`: the connection can be kept; else it has more bytes, which would answer the next
 * poll, or the end of a write is not known. */
void client_answered(struct client *client, struct channel *channel, bool clean);

/* The connection has ended or broken, with a negative libuv code; or its handshake has failed. */
void client_lost(struct client *client, struct channel *channel, int status);

/* What came is of no use. */
void client_failed(struct client *client, struct channel *channel, enum target_state state,
                   const char *error);

/* Something came on the kept connection, or it ended. */
void client_unasked(struct client *client);

#endif
