/*
 * Polls of a client: who asks, who shares an answer, who gives up.
 *
 * A poll asks a set of stats commands and reads their replies in order. Whoever asks while a poll is under
 * way joins it and gets the same snapshot, if the poll is young and asks enough. A poll is young until its
 * requests have been on the way for CLIENT_YOUNG_MS, or until one who waited for it has given up, so that a
 * connection that has died costs those who asked at that time and nobody later.
 *
 * Whoever may not join waits for the next poll, which asks what all who wait for it want. When a waiter has
 * given up a poll that has not got a byte, the next one who asks starts it again on a new connection, once;
 * those who still wait for it go along. A client keeps no deadline: each one who waits gives up when its own
 * is over, and the poll ends when nobody waits any more.
 */
#ifndef MEMCACHED_POLL_H
#define MEMCACHED_POLL_H

#include "base/list.h"
#include "memcached/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct client;
struct poll;

/* How old requests may be that others join: an answer may be older than its question by so much. */
#define POLL_YOUNG_MS 500

/* How old a dial is that begins anew each time somebody has given it up. */
#define POLL_REDIAL_MS 1000

/* `snapshot` is finished and one reference of it is the callee's. */
typedef void (*poll_fn)(struct poll *poll, struct snapshot *snapshot);

/* One who waits for a poll; embedded in its owner. */
struct poll {
    struct link link;
    struct client *client;
    bool waits_for_next;    /* not for the poll that is under way */
    struct snapshot *ended; /* what the poll has come to, while others who waited hear of it first; held */
    poll_fn on_done;
};

void poll_init(struct poll *poll);

/*
 * Asks the server a set of commands, to which `stats` is added, or joins a young poll that asks them all: its
 * snapshot may hold more. 0: on_done runs exactly once, from the loop, never inside this call, unless the
 * caller gives up. UV_ENOMEM: never.
 */
int poll_start(struct poll *poll, struct client *client, unsigned commands, poll_fn on_done);

/*
 * The caller's deadline is over: returns a finished snapshot of what has arrived (up, if that holds the whole
 * `stats` reply), the caller's to release, or NULL when out of memory. on_done will not run.
 */
struct snapshot *poll_give_up(struct poll *poll);

/* How far a poll is that has not ended. */
struct poll_progress {
    uint64_t began_ns; /* when its server began to be asked, as uv_hrtime(); 0 while it waits for its turn */
    size_t received;   /* bytes of the answer */
    bool unread;       /* it waits for the loop to read more, which may have arrived */
};
struct poll_progress poll_progress(const struct poll *poll);

/* --- For client.c --- */

/* Lets the next poll begin, if anybody waits for it, then tells those who waited for the one that has ended:
 * they may ask again at once. */
void polls_tell(struct client *client, struct snapshot *snapshot);

#endif
