/*
 * A scripted memcached on a loopback port, on the caller's loop. A line of words sets its behaviour, and may
 * be replaced at any time. Hundreds of servers fit on one loop. The program scripted_servers runs many of
 * them, for tests in other languages.
 *
 * Each answer to `stats` contains the server's number as total_items and the number of the answer as
 * curr_items. So a test can detect an answer of another server, or an old answer. Other requests that begin
 * with `stats` are answered with an empty list. All further requests are answered with ERROR.
 *
 * These lines set how further requests are answered. An answer in progress does not change:
 *
 *     answer          sends the whole answer at once
 *     delay MS        sends the whole answer after MS milliseconds
 *     split BYTES     sends the answer in pieces of BYTES bytes, one per turn of the loop
 *     drip MS         sends one byte every MS milliseconds
 *     cut BYTES       sends the first BYTES bytes, then nothing more
 *     mute            sends nothing
 *     fin BYTES       sends the first BYTES bytes, then closes the connection
 *     rst BYTES       sends the first BYTES bytes, then resets the connection
 *     halfclose       sends the whole answer, then closes its own side but keeps reading
 *     garbage         sends bytes that are not memcached's protocol
 *     flood           sends STAT lines without end
 *     twice MS        sends the whole answer, and a copy of it MS milliseconds later
 *     unasked MS      sends the whole answer, and MS milliseconds later an answer without a request, whose
 *                     numbers are 999999999
 *     say TEXT        sends TEXT as the whole answer to `stats`, with \r and \n for line ends
 *
 * These lines make the server unreachable and close its connections. Any line of the first list ends this
 * state:
 *
 *     refuse          the port refuses connections
 *     deaf            the kernel completes connections, but the server does not accept them
 *     full            the kernel's queue is full, so it drops each SYN
 *
 * These lines act once, on the existing connections. New connections are served as before:
 *
 *     lose            ignores all further data, without closing
 *     drop            closes the connections
 *     reset           resets the connections
 */
#ifndef SUPPORT_SCRIPTED_H
#define SUPPORT_SCRIPTED_H

#include "base/buffer.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define SCRIPTED_WAITING 4

struct scripted_server;

/*
 * Called when the kernel has taken the complete answer `number` to `stats`. Times are those of uv_hrtime().
 */
typedef void (*scripted_fn)(struct scripted_server *server, uint64_t number, uint64_t asked_ns,
                            uint64_t answered_ns);

struct scripted_server {
    uv_loop_t *loop;
    unsigned id;
    int listener; /* file descriptor */
    int port;
    uv_poll_t accepting;
    int waiting[SCRIPTED_WAITING]; /* connections that fill the kernel's queue for `full`; -1 for none */
    bool reachable;
    unsigned behaviour; /* index in the table of scripted.c */
    unsigned argument;
    char *text;            /* text of `say`; owned */
    struct list open;      /* open connections */
    scripted_fn on_answer; /* or NULL */

    /* Records for the test to check. */
    uint64_t requests; /* number of `stats` requests received */
    uint64_t accepted;
};

/*
 * Starts the server with the behaviour `answer`. Port 0 means any free port. Returns 0, or a negative libuv
 * code; scripted_stop is not needed after an error.
 */
int scripted_start(struct scripted_server *server, uv_loop_t *loop, unsigned id, const char *host, int port);

/*
 * Applies a line from the lists above. Returns NULL, or a text that says what was expected; then nothing has
 * changed.
 */
const char *scripted_do(struct scripted_server *server, const char *line);

/* Closes the listener and all connections. The memory may be freed when the loop has nothing left to run. */
void scripted_stop(struct scripted_server *server);

#endif
