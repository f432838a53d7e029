/*
 * Polls of a client: how several callers ask, share an answer, and give up.
 *
 * A poll asks a set of stats commands and reads their replies in order. A caller that asks while a poll is
 * under way joins that poll and gets the same snapshot, if the poll is young and asks for enough. A poll is
 * young until POLL_YOUNG_MS after its requests were sent, or until a caller has given it up. So a dead
 * connection only affects callers that asked at that time.
 *
 * All other callers wait for the next poll, which asks for everything that they want together. A caller may
 * give up a poll that has not received a byte. The next caller then restarts that poll on a new connection.
 * Callers that still wait stay with the restarted poll.
 *
 * A client has no deadline: each caller gives up at its own deadline. The poll ends when no caller is left.
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

/*
 * Callers join a poll whose requests are at most this old. So an answer is at most this much older than its
 * question.
 */
#define POLL_YOUNG_MS 500

/* A dial that is at least this old is restarted each time a caller has given it up. */
#define POLL_REDIAL_MS 1000

/* `snapshot` is finished. The callee owns one reference. */
typedef void (*poll_fn)(struct poll *poll, struct snapshot *snapshot);

/* A caller that waits for a poll. Embedded in its owner. */
struct poll {
    struct link link;
    struct client *client;
    bool waits_for_next;    /* waits for the next poll, not for the one under way */
    struct snapshot *ended; /* finished snapshot, from the end of the poll until on_done; holds a reference */
    poll_fn on_done;
};

void poll_init(struct poll *poll);

/*
 * Asks the server for `stats` and a set of further collectors, or joins a young poll that asks for all of
 * them. The snapshot may hold the replies to more commands.
 *
 * Returns 0: on_done runs exactly once, from the loop, never inside this call, unless the caller gives up.
 * Returns UV_ENOMEM: on_done never runs.
 */
int poll_start(struct poll *poll, struct client *client, unsigned commands, poll_fn on_done);

/*
 * Gives up at the caller's deadline; on_done will not run. Returns a finished snapshot of the replies that
 * have arrived. It is up if the `stats` reply is complete. The caller releases it. Returns NULL if out of
 * memory.
 */
struct snapshot *poll_give_up(struct poll *poll);

/* Progress of a poll that has not ended. */
struct poll_progress {
    /* when the server began to be asked, as uv_hrtime(); 0 while the poll waits for its turn */
    uint64_t began_ns;
    size_t received; /* bytes of the answer so far */
    bool unread;     /* bytes may have arrived that the loop has not read yet */
};
struct poll_progress poll_progress(const struct poll *poll);

/* --- For client.c --- */

/*
 * Starts the next poll, if a caller waits for it. Then calls on_done of the callers of the poll that has
 * ended. They may ask again at once.
 */
void polls_tell(struct client *client, struct snapshot *snapshot);

#endif
