/*
 * Lets at most so many through at once; the others wait in line.
 *
 * Keeps a fleet from opening thousands of connections in the same moment, which would fill the backlogs of
 * the servers and the tables of the firewalls between.
 */
#ifndef NET_GATE_H
#define NET_GATE_H

#include "base/list.h"

struct gate_ticket;

typedef void (*gate_fn)(struct gate_ticket *ticket);

/* One who wants to pass; embedded in the owner, who keeps it until it has left. */
struct gate_ticket {
    struct link link; /* in line */
    gate_fn on_enter;
    bool inside;
};

struct gate {
    unsigned limit, inside;
    struct list line;
};

/* limit >= 1. Owns nothing; there is nothing to release. */
void gate_init(struct gate *gate, unsigned limit);

void gate_ticket_init(struct gate_ticket *ticket);

/* Calls on_enter once, at once if there is room, else when it is this ticket's turn. */
void gate_enter(struct gate *gate, struct gate_ticket *ticket, gate_fn on_enter);

/* Gives the place to the next in line, or leaves the line. Harmless for one who is neither inside nor
 * waiting. */
void gate_leave(struct gate *gate, struct gate_ticket *ticket);

#endif
