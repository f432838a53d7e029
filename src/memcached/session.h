/*
 * The bytes that one poll sends to a server and receives from it: at most two batches of requests, and the
 * replies in the same order. Pure; knows nothing about connections.
 *
 * The first batch has the commands that are safe with any server. Some commands would harm some servers (see
 * enum command_danger). They go into the second batch, if the complete reply to `stats` in the first batch
 * allows them.
 */
#ifndef MEMCACHED_SESSION_H
#define MEMCACHED_SESSION_H

#include "base/slice.h"
#include "memcached/protocol.h"
#include "memcached/reply_plan.h"
#include "memcached/snapshot.h"

#include <stdbool.h>

struct session {
    const struct protocol *protocol;
    struct snapshot *snapshot; /* takes the lines of the replies; borrowed */
    struct plan_line *place;   /* last line of the current reply that was read, or NULL; see reply_plan.h */
    unsigned wanted;           /* set of commands to ask */
    unsigned sent;             /* set of commands asked so far */
    unsigned replied;          /* set of commands whose reply or refusal is complete */
    bool has_storage;          /* `stats` says that the server has external storage */
    bool has_meta_commands;    /* `stats` gave a version that knows `mn` */
    bool has_size_counts;      /* `stats` gave a version that counts sizes without walking the items */
    bool has_stats;            /* `stats` gave more than the version */
    bool has_lines;            /* a line or more of the replies was read: the server is a memcached */
    bool awaits_login;         /* the login was sent and not answered yet */
    bool skips;                /* the rest of a stat that is too long is being skipped */
    size_t skip_left;          /* bytes left to skip, if the protocol tells */
    enum target_state failure; /* state for SESSION_FAILED; `error` tells why */
    char error[TARGET_ERROR_MAX];
};

/* Initialises a session for a new poll or a new connection. Nothing is sent yet. Borrows the snapshot. */
void session_init(struct session *session, const struct protocol *protocol, struct snapshot *snapshot,
                  unsigned wanted);

/* Call this when the login was sent, before any request: the login's answer comes first. */
void session_await_login(struct session *session);

/* Returns true if session_ask would write a request. */
bool session_has_more(const struct session *session);

/*
 * Writes the next batch of requests and marks it as sent, and as asked in the snapshot. Returns its length,
 * or 0 if nothing is left to ask. The previous batch must have all its replies (asserted).
 */
size_t session_ask(struct session *session, char request[PROTOCOL_REQUESTS_MAX]);

enum session_status {
    SESSION_WAITS,  /* replies are missing */
    SESSION_PAUSES, /* all replies are complete; we may send the next batch, if any */
    SESSION_FAILED, /* the connection cannot be used any more */
};
enum session_status session_status(const struct session *session);

/*
 * Takes complete lines or packets off `input` until the session waits for no more. The rest is the beginning
 * of a line or packet, or bytes that nobody asked for.
 */
enum session_status session_take(struct session *session, struct slice *input);

#endif
