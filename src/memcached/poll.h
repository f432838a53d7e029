/*
 * Polls of a client: how several callers ask, share an answer, and give up.
 *
 * A poll asks a set of stats commands and reads their replies in order. A caller that asks while a poll is
 * under way joins it and gets the same snapshot, if the poll is young and asks for enough. A poll is young
 * until CLIENT_YOUNG_MS after its requests were sent, or until a caller has given it up. So a dead connection
 * only affects callers that asked at that time.
 *
 * Other callers wait for the next poll, which asks for everything that they want together. If a caller has
 * given up a poll that has not received a byte, the next caller restarts it on a new connection, once;
 * callers that still wait stay with it. A client keeps no deadline: each caller gives up at its own, and the
 * poll ends when no caller is left.
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
 * Asks the server for `stats` and a set of further commands, or joins a young poll that asks for all of them;
 * its snapshot may hold more. 0: on_done runs exactly once, from the loop, never inside this call, unless the
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
