/*
 * A memcached server: a connection that is kept between polls, and at most one poll under way. An idle client
 * is small, since memory for a poll is allocated and freed with the poll.
 *
 * A poll asks a set of stats commands, reads their replies in order, and ends with a snapshot. poll.h tells
 * how callers ask for polls and share them.
 */
#ifndef MEMCACHED_CLIENT_H
#define MEMCACHED_CLIENT_H

#include "base/list.h"
#include "base/trace.h"
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

/*
 * Most bytes of one read. All clients read into the same buffer. A client keeps only an incomplete line
 * between reads.
 */
#define CLIENT_READ_SIZE (64 * 1024)

/* Counts over all clients of a fleet, since the start. */
struct client_counts {
    uint64_t opened;    /* connections opened */
    uint64_t open;      /* connections that are open now */
    uint64_t reused;    /* polls that used a kept connection */
    uint64_t coalesced; /* callers that joined a poll */
    uint64_t stalled;   /* kept connections that were silent, so that a second one was dialled */
    uint64_t bytes_read, bytes_written;
    uint64_t refused[POLICY_GROUNDS]; /* polls that a policy refused, by reason */
};

struct client;

/* Called once for every poll that has ended, however many callers waited for it. */
typedef void (*client_poll_fn)(void *context, const struct client *client, const struct snapshot *snapshot);

/* State that all clients of a fleet share; borrowed. */
struct client_shared {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter limiter;
    struct read_budget budget; /* read budget of all clients */
    struct stall stall;
    struct state_log *state_log;   /* borrowed; NULL logs each change alike */
    char probe_key[PROBE_KEY_MAX]; /* key that probes of this process store */
    size_t max_reply;              /* most bytes that a server may send in one poll */
    size_t max_prefixes;           /* most key prefixes that get counts of their own */
    struct memory_pool *memory;    /* pool for the memory of all snapshots; holds a reference; or NULL */
    bool keep;                     /* keep connections between polls */
    struct client_counts counts;
    client_poll_fn on_poll; /* or NULL */
    void *on_poll_context;
    char read_buffer[CLIENT_READ_SIZE];
};

enum client_phase {
    CLIENT_IDLE,    /* no connection, no poll */
    CLIENT_DIALING, /* a poll waits for a connection, and has none */
    CLIENT_ASKING,  /* a poll has a connection */
    CLIENT_KEPT,    /* no poll; the connection is kept */
};

/* Key under which a fleet finds a client. Profiles that lead to the same connections compare as equal. */
struct client_key {
    char *name; /* canonical address, owned by the client, NUL-terminated */
    struct profile *profile;
};

struct client {
    struct client_shared *shared; /* borrowed */
    struct address address;
    struct client_key key; /* owned; holds a reference to the profile */
    struct dial_record record;
    struct resumption resumption;    /* for TLS */
    const struct protocol *protocol; /* protocol to use with the server */
    struct stream *kept;             /* connection between two polls; owned */
    struct dialer *dialer;           /* dialer of the current poll; owned; NULL unless it is dialling */
    struct channel *channels[2];     /* channels of the current poll, older first; owned; NULL for none */
    struct list polls;               /* callers that wait for the current poll, linked by poll.link */
    struct snapshot *snapshot;       /* snapshot of the current poll; holds a reference */
    unsigned probe_refused;          /* set of probe operations that the server has refused */
    uint64_t probe_refused_ns;       /* when it did; they are asked again after a while */
    unsigned commands;               /* set of collectors that the current poll asks */
    unsigned next_commands;          /* set of commands that the next poll will ask */
    struct list next_polls;          /* callers that wait for the next poll */
    struct snapshot *next_snapshot;  /* owned; NULL while no caller waits for the next poll */
    uint64_t started_ns;             /* start of the current poll */
    uint64_t admitted_ns;            /* when the limiter admitted the poll's first dial; 0: not yet */
    uint64_t asked_ns;               /* when the poll sent its first requests */
    uint64_t used_ns;                /* end of the last poll */
    bool judged;                     /* client_judge was called for the current poll */
    bool given_up;                   /* a caller has given up the current poll */
    bool restarted;                  /* a later caller has restarted the current poll */
    struct stall_patience patience;  /* patience with kept connections */
    uint64_t reported;               /* reasons for being down that were logged, see target_state_log */
    struct snapshot_remark remark;   /* last remark that was logged */
    struct trace *trace;             /* of all polls; owned; NULL unless the profile is traced */
    struct history history;          /* of the polls that have ended */
    struct link link;                /* link in a list of the fleet */
    unsigned group;                  /* set by the owner of a target: number of its group, see fleet_group */
    unsigned users;                  /* set by the fleet: number of targets that use the client */
    unsigned configured;             /* set by the fleet: number of these whose profile has no policy */
};

/*
 * Creates a client. Takes a reference to the profile. The profile's policy decides which resolved addresses
 * may be dialled. Returns NULL if out of memory.
 */
struct client *client_new(struct client_shared *shared, const struct address *address,
                          struct profile *profile);

/* Closes the connection and frees the client. No poll may be under way (asserted). */
void client_free(struct client *client);

enum client_phase client_phase(const struct client *client);

/*
 * Closes the kept connection if it was last used before `before_ns`, as uv_hrtime(). Returns true if it did.
 */
bool client_close_unused(struct client *client, uint64_t before_ns);

/* Sets the loop, and initialises `stall`. The caller sets all other fields, and ends with stall_close. */
void client_shared_init(struct client_shared *shared, uv_loop_t *loop);

/* --- For poll.c --- */

/* Creates a snapshot for a poll of these commands. Returns NULL if out of memory. */
struct snapshot *client_new_snapshot(const struct client *client, unsigned commands);

/* Starts a poll that fills client->snapshot. Returns 0 or UV_ENOMEM. With UV_ENOMEM, no poll is under way. */
int client_begin(struct client *client);

/*
 * Sets the state of the current poll's snapshot, see snapshot_judge. Only the first call for a poll has an
 * effect.
 */
void client_judge(struct client *client, enum target_state state, const char *error);

/* Restarts the current poll on a new connection. */
void client_restart(struct client *client);

/* Ends the current poll. It must be judged, and no caller may wait for it. */
void client_abandon(struct client *client);

/* --- For channel.c --- */

/* Returns the channel of that stream, or NULL for the kept stream. */
struct channel *client_channel(const struct client *client, const struct stream *stream);

/* Called when the first bytes have arrived. */
void client_heard(struct client *client, struct channel *channel);

/*
 * Called when every reply is complete. `clean`: the connection can be kept. Otherwise more bytes arrived than
 * the replies, or a write is still under way. Such bytes would be taken for an answer to the next poll.
 */
void client_answered(struct client *client, struct channel *channel, bool clean);

/*
 * Called when the connection has ended or broken, or its handshake has failed. `status` is a negative libuv
 * code.
 */
void client_lost(struct client *client, struct channel *channel, int status);

/* Called when the answer cannot be used. */
void client_failed(struct client *client, struct channel *channel, enum target_state state,
                   const char *error);

/* Called when bytes arrive on the kept connection, or when it ends. */
void client_unasked(struct client *client);

#endif
