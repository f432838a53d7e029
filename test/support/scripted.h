/*
 * A scripted memcached on a loopback port, on the loop of whoever starts it: it behaves as a line of words
 * says, and may be told another line at any time. Light enough for hundreds on one loop. The program
 * scripted_servers runs many of them for tests in other languages.
 *
 * Each answer to `stats` says which server gave it (total_items, the server's number) and how many it has
 * given (curr_items), so that a test can tell an answer of another server, or an old one. Every other request
 * whose first word is `stats` is answered with an empty list, and what is no `stats` with ERROR.
 *
 * How it answers from now on; what is under way is not changed:
 *     answer          the whole answer at once
 *     delay MS        the same, so many milliseconds later
 *     split BYTES     the same, in pieces of so many bytes, each in a turn of the loop of its own
 *     drip MS         the same, a byte each so many milliseconds
 *     cut BYTES       the first bytes of the answer, and nothing more
 *     mute            nothing
 *     fin BYTES       the first bytes, then the end of the connection
 *     rst BYTES       the first bytes, then a reset
 *     halfclose       the whole answer, then the end of its own side; it goes on reading
 *     garbage         bytes that are no memcached's
 *     flood           STAT lines without end
 *     twice MS        the whole answer, and a copy of it so many milliseconds later
 *     unasked MS      the whole answer, and so many milliseconds later an answer that nobody asked for, whose
 *                     numbers are 999999999
 *     say TEXT        TEXT is the whole answer to `stats`, with \r and \n for the ends of lines
 * Whether it can be reached; each of these ends the connections, and how it answers ends the state again:
 *     refuse          nobody listens at its port
 *     deaf            the kernel takes connections, nobody accepts them
 *     full            the kernel takes no more of them: it drops each SYN
 * What it does once, to the connections that there are; new ones are answered as before:
 *     lose            they die without a word: what comes is swallowed
 *     drop            it ends them
 *     reset           it resets them
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

/* Answer `number` to `stats` is with the kernel as a whole; times are those of uv_hrtime(). */
typedef void (*scripted_fn)(struct scripted_server *server, uint64_t number, uint64_t asked_ns,
                            uint64_t answered_ns);

struct scripted_server {
    uv_loop_t *loop;
    unsigned id;
    int listener; /* file descriptor */
    int port;
    uv_poll_t accepting;
    int waiting[SCRIPTED_WAITING]; /* that fill the queue of `full`; -1: none */
    bool reachable;
    unsigned behaviour; /* row of the table in scripted.c */
    unsigned argument;
    char *text;            /* of `say`; owned */
    struct list open;      /* connections */
    scripted_fn on_answer; /* or NULL */

    /* What happened. */
    uint64_t requests; /* `stats` that came */
    uint64_t accepted;
};

/*
 * Port 0: any. 0, or a negative libuv code; then there is nothing to stop. It answers until it is told
 * otherwise.
 */
int scripted_start(struct scripted_server *server, uv_loop_t *loop, unsigned id, const char *host, int port);

/* One of the lines above. NULL, or what was expected instead; then nothing has changed. */
const char *scripted_do(struct scripted_server *server, const char *line);

/* Ends everything; the memory is free once the loop has run out. */
void scripted_stop(struct scripted_server *server);

#endif
