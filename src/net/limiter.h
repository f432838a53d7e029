/*
 * A counting semaphore for the loop: at most `limit` attempts hold a place at once, and the others wait in a
 * queue.
 *
 * The limiter keeps the exporter from opening thousands of connections at the same moment. That would
 * overflow the backlogs of servers and the connection tables of firewalls.
 *
 * Servers that never answer must not delay the others. So a holder gives its place back after
 * limiter_hold_ms, even if its attempt goes on. Servers that failed last time wait behind all others.
 */
#ifndef NET_LIMITER_H
#define NET_LIMITER_H

#include "base/list.h"

#include <stdbool.h>

/* Longest time to hold a place. Servers in the same network answer much faster. */
#define LIMITER_HOLD_MS 50

/* All waiting attempts are admitted within about this time, a third of the usual time-out of a target. */
#define LIMITER_TURN_MS 300

/* Shortest time to hold a place. */
#define LIMITER_HOLD_MIN_MS 5

struct limiter_ticket;

typedef void (*limiter_fn)(struct limiter_ticket *ticket);

/*
 * An attempt that holds a place or waits for one. Embedded in its owner, which must call limiter_leave before
 * freeing it.
 */
struct limiter_ticket {
    struct link link; /* in the queue */
    limiter_fn on_enter;
    bool inside;
    bool failed; /* the last attempt failed; set by the owner before limiter_enter */
};

struct limiter {
    unsigned limit, inside;
    size_t waiting;               /* number of tickets in both queues */
    struct list line, behind_all; /* behind_all: tickets with `failed`, admitted last */
};

/* Initialises the limiter. `limit` must be at least 1. The limiter owns no memory and needs no cleanup. */
void limiter_init(struct limiter *limiter, unsigned limit);

void limiter_ticket_init(struct limiter_ticket *ticket);

/*
 * Returns how long an attempt that enters now may hold its place, in milliseconds. The more attempts wait,
 * the shorter this time is, so that all are admitted within LIMITER_TURN_MS.
 */
unsigned limiter_hold_ms(const struct limiter *limiter);

/*
 * Requests a place. on_enter runs once: inside this call if a place is free, otherwise when a place becomes
 * free.
 */
void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);

/*
 * Gives the place back and admits the next ticket, or removes a waiting ticket from the queue. Does nothing
 * for any other ticket.
 */
void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket);

#endif
