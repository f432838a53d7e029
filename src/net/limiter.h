/*
 * A counting semaphore for the loop: at most `max` holders at once, the others wait in a queue.
 *
 * It keeps the exporter from opening thousands of connections at the same moment, which would fill the
 * backlogs of servers and the connection tables of firewalls.
 *
 * Servers that never answer must not keep the others waiting. So a holder gives its place back after
 * limiter_hold_ms, even if its attempt goes on, and servers that failed last time wait behind all others.
 */
#ifndef NET_LIMITER_H
#define NET_LIMITER_H

#include "base/list.h"

#include <stdbool.h>

/* A place is held so long at most: far longer than servers in the same network take to answer. */
#define LIMITER_HOLD_MS 50

/* Within this time all who wait have their turn: a third of the usual time-out of a target. */
#define LIMITER_TURN_MS 300

/* Nobody is sent away earlier. */
#define LIMITER_HOLD_MIN_MS 5

struct limiter_ticket;

typedef void (*limiter_fn)(struct limiter_ticket *ticket);

/* One who wants to pass; embedded in the owner, who keeps it until it has left. */
struct limiter_ticket {
    struct link link; /* in line */
    limiter_fn on_enter;
    bool inside;
    bool failed; /* set by the owner before it enters: the last time failed */
};

struct limiter {
    unsigned limit, inside;
    size_t waiting;               /* in both lines */
    struct list line, behind_all; /* who failed last time waits in the second one */
};

/* limit >= 1. Owns nothing; there is nothing to release. */
void limiter_init(struct limiter *limiter, unsigned limit);

void limiter_ticket_init(struct limiter_ticket *ticket);

/*
 * How long one who enters now may stay, in milliseconds: some time if few others wait, and less the more
 * there are, so that each of them has its turn within LIMITER_TURN_MS.
 */
unsigned limiter_hold_ms(const struct limiter *limiter);

/* Calls on_enter once, at once if there is room, else when it is this ticket's turn. */
void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);

/* Gives the place to the next in line, or leaves the line. Harmless for one who is neither inside nor
 * waiting. */
void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket);

#endif
