/*
 * What a poll says to a server and hears from it, as bytes: two batches of requests at most, and the replies
 * in the order of the requests. Pure; knows no connection.
 *
 * The first batch is what can be asked of any server. Some commands would harm some servers (see enum
 * command_danger): they make the second batch, if the whole reply to `stats` in the first one allows them.
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
    struct snapshot *snapshot; /* takes what is said; borrowed */
    struct plan_line *place;   /* what of the current reply was read last, or NULL; see reply_plan.h */
    unsigned wanted;           /* set of commands */
    unsigned sent;             /* set of commands asked so far */
    unsigned replied;          /* set of commands whose reply, or refusal, is whole */
    bool has_storage;          /* `stats` says that there is external storage */
    bool has_size_counts;      /* `stats` says that the version counts sizes as it goes */
    bool has_stats;            /* `stats` says more than the version */
    bool awaits_login;         /* the login is sent, and not answered */
    bool skips;                /* the rest of a stat that is too long to be kept */
    size_t skip_left;          /* bytes of it, where the protocol tells */
    enum target_state failure; /* of SESSION_FAILED, with why */
    char error[TARGET_ERROR_MAX];
};

/* Begins anew, on a new connection or for a new poll; nothing is sent yet. */
void session_init(struct session *session, const struct protocol *protocol, struct snapshot *snapshot,
                  unsigned wanted);

/* The login is sent, before anything is asked: its answer comes first. */
void session_await_login(struct session *session);

/* Whether session_ask would write anything. */
bool session_has_more(const struct session *session);

/*
 * Writes the next batch of requests, which counts as sent, and as asked in the snapshot; returns its length,
 * or 0 when there is nothing more to ask. The batch before must have its replies (asserted).
 */
size_t session_ask(struct session *session, char request[PROTOCOL_REQUESTS_MAX]);

enum session_status {
    SESSION_WAITS,  /* replies are missing */
    SESSION_PAUSES, /* every reply is in; it is our turn, if there is more to ask */
    SESSION_FAILED, /* the connection is of no more use */
};
enum session_status session_status(const struct session *session);

/* Takes whole lines, or packets, off `input` until it has what it waits for; what is left is the beginning of
 * one, or bytes that nobody asked for. */
enum session_status session_take(struct session *session, struct slice *input);

#endif
