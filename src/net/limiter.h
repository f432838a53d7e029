/*
 * Lets at most so many through at once; the others wait in line.
 *
 * Keeps a fleet from opening thousands of connections in the same moment, which would fill the backlogs of
 * the servers and the tables of the firewalls between.
 */
#ifndef NET_LIMITER_H
#define NET_LIMITER_H

#include "base/list.h"

struct limiter_ticket;

typedef void (*limiter_fn)(struct limiter_ticket *ticket);

/* One who wants to pass; embedded in the owner, who keeps it until it has left. */
struct limiter_ticket {
    struct link link; /* in line */
    limiter_fn on_enter;
    bool inside;
};

struct limiter {
    unsigned limit, inside;
    struct list line;
};

/* limit >= 1. Owns nothing; there is nothing to release. */
void limiter_init(struct limiter *limiter, unsigned limit);

void limiter_ticket_init(struct limiter_ticket *ticket);

/* Calls on_enter once, at once if there is room, else when it is this ticket's turn. */
void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter);

/* Gives the place to the next in line, or leaves the line. Harmless for one who is neither inside nor
 * waiting. */
void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket);

#endif
