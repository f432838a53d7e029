/*
 * A queue that calls each member back a fixed time after the member was added. One timer serves all members.
 * No sorting is needed, since the oldest member is always due next.
 */
#ifndef NET_DELAY_QUEUE_H
#define NET_DELAY_QUEUE_H

#include "base/list.h"
#include "net/closing.h"

#include <stdint.h>
#include <uv.h>

struct delay_ticket;

/* Runs from the loop. The ticket is no longer in the queue and may be added again. */
typedef void (*delay_fn)(struct delay_ticket *ticket);

/* A member of the queue. Embedded in its owner, which must cancel the ticket before freeing it. */
struct delay_ticket {
    struct link link;
    uint64_t due_ms; /* time on the loop's clock */
};

struct delay_queue {
    uv_timer_t timer;
    struct list waiting;
    uint64_t delay_ms;
    delay_fn on_due;
};

void delay_queue_init(struct delay_queue *queue, uv_loop_t *loop, uint64_t delay_ms, delay_fn on_due);

/* Closes the timer as a part of `closing`. Drops all waiting members without calling them back. */
void delay_queue_close(struct delay_queue *queue, struct closing *closing);

void delay_ticket_init(struct delay_ticket *ticket);

/* Adds a ticket. A ticket that already waits keeps its time. */
void delay_queue_add(struct delay_queue *queue, struct delay_ticket *ticket);

/* Removes a ticket from its queue. Does nothing if the ticket does not wait. */
void delay_ticket_cancel(struct delay_ticket *ticket);

static inline bool delay_ticket_waits(const struct delay_ticket *ticket)
{
    return link_is_linked(&ticket->link);
}

#endif
