/*
 * A queue whose members are called back the same time after each was added: one timer for all of them, and no
 * sorting, since the oldest is always the next.
 */
#ifndef NET_DELAY_QUEUE_H
#define NET_DELAY_QUEUE_H

#include "base/list.h"
#include "net/closing.h"

#include <stdint.h>
#include <uv.h>

struct delay_ticket;

/* From the loop. The ticket has left the queue and may be added again. */
typedef void (*delay_fn)(struct delay_ticket *ticket);

/* A member of the queue. Embedded in its owner, which cancels it before it is freed. */
struct delay_ticket {
    struct link link;
    uint64_t due_ms; /* on the loop's clock */
};

struct delay_queue {
    uv_timer_t timer;
    struct list waiting;
    uint64_t delay_ms;
    delay_fn on_due;
};

void delay_queue_init(struct delay_queue *queue, uv_loop_t *loop, uint64_t delay_ms, delay_fn on_due);

/* Closes the timer as a part of its owner. Members that still wait are not called back. */
void delay_queue_close(struct delay_queue *queue, struct closing *closing);

void delay_ticket_init(struct delay_ticket *ticket);

/* Harmless for a ticket that waits already: its time stays. */
void delay_queue_add(struct delay_queue *queue, struct delay_ticket *ticket);

/* Harmless for a ticket that does not wait. */
void delay_ticket_cancel(struct delay_ticket *ticket);

static inline bool delay_ticket_waits(const struct delay_ticket *ticket)
{
    return link_is_linked(&ticket->link);
}

#endif
