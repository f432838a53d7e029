/*
 * A connection to a server that sends lines for as long as it likes: a watcher's log, a dump of the crawler,
 * or replies to `stats`. It speaks the text protocol.
 *
 *     feed_start -> [on_open] -> feed_send -> [on_line]* ... -> [on_end] -> feed_free
 *
 * The TLS handshake and the login come before on_open, if the server requires them. A feed reads all the
 * time, so that the server never waits for it, and keeps nothing but an incomplete line. It has no deadline:
 * its owner frees it.
 */
#ifndef WATCH_FEED_H
#define WATCH_FEED_H

#include "base/slice.h"
#include "memcached/profile.h"
#include "net/dialer.h"
#include "net/read_budget.h"

#include <stdint.h>

/* How to reach a server. All pointers are borrowed and must stay valid while the feed exists. */
struct feed_plan {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter *limiter;
    struct read_budget *budget; /* shared by all feeds */
    const struct address *address;
    struct profile *profile;
    struct dial_record *record;
};

/* The owner may call feed_free and feed_send inside these functions. */
struct feed_events {
    /* The connection is ready for commands. */
    void (*on_open)(void *context);

    /*
     * A line, without its end, borrowed for the call. A line longer than FEED_LINE_MAX arrives as an empty
     * one, once.
     */
    void (*on_line)(void *context, struct slice line);

    /* The connection failed or ended. Nothing else is called afterwards. `why` is valid during the call. */
    void (*on_end)(void *context, const char *why);
};

/* Longest line in bytes, with its end. */
#define FEED_LINE_MAX 4096

/* Longest command in bytes, with its end. */
#define FEED_COMMAND_MAX 128

struct feed;

/*
 * Dials the server. Returns 0 or UV_ENOMEM. No callback runs inside this call. `events` must stay valid while
 * the feed exists.
 */
int feed_start(struct feed **feed, const struct feed_plan *plan, const struct feed_events *events,
               void *context);

/*
 * Sends a command with its line end. Call it after on_open, and only when the previous command was answered.
 * Returns 0, or a negative libuv code; on_end is not called then.
 */
int feed_send(struct feed *feed, const char *command);

/* Closes the connection. NULL is allowed. */
void feed_free(struct feed *feed);

#endif
