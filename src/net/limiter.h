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

/* The longest time to hold a place: far more than servers in the same network need to answer. */
#define LIMITER_HOLD_MS 50

/* Every waiting attempt is admitted within this time: a third of the usual time-out of a target. */
#define LIMITER_TURN_MS 300

/* Nobody is sent away earlier. */
#define LIMITER_HOLD_MIN_MS 5

struct limiter_ticket;

typedef void (*limiter_fn)(struct limiter_ticket *ticket);

/* A holder, or an attempt that waits for a place. Embedded in its owner, which keeps it until it has left. */
struct limiter_ticket {
    struct link link; /* in line */
    limiter_fn on_enter;
    bool inside;
    bool failed; /* set by the owner before it enters: the last time failed */
};

struct limiter {
    unsigned limit, inside;
    size_t waiting;               /* in both lines */
    struct list line, behind_all; /* those that failed last time wait in the second one */
};

/* limit >= 1. Owns nothing; there is nothing to release. */
void limiter_init(struct limiter *limiter, unsigned limit);

void limiter_ticket_init(struct limiter_ticket *ticket);

/*
 * How long an attempt that enters now may keep its place, in milliseconds. The more others wait, the shorter
 * it is, so that all are admitted within LIMITER_TURN_MS.
 */
unsigned limiter_hold_ms(const struct limiter *limiter);

/* Calls on_enter once, at once if there is room, else when it is this ticket's turn. */
void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);

/*
 * Gives the place to the next in the queue, or leaves the queue. Harmless for a ticket that neither holds a
 * place nor waits.
 */
void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket);

#endif
