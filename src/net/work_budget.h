/*
 * Limits the processor time that work takes in one turn of the loop, so that many concurrent requests delay
 * everything else by at most a few milliseconds. Work that finds the budget spent waits in a queue for a
 * later turn. The loop does not sleep until the queue is empty.
 *
 * The budget counts processor time, so that a busy machine changes nothing. Each turn runs at least one piece
 * of work, however long it takes.
 */
#ifndef NET_WORK_BUDGET_H
#define NET_WORK_BUDGET_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct work_budget_ticket;

typedef void (*work_budget_fn)(struct work_budget_ticket *ticket);

/* A piece of work. Embedded in its owner, which must call work_budget_leave before freeing it. */
struct work_budget_ticket {
    struct link link; /* in a queue */
    work_budget_fn on_turn;
};

struct work_budget {
    uv_idle_t turn; /* active while tickets wait */
    uint64_t size_ns, used_ns, began_ns;
    unsigned depth;   /* of work inside work, which is a part of it */
    uint64_t turn_ms; /* loop time of the turn that `used_ns` belongs to */
    struct list first, others;
};

void work_budget_init(struct work_budget *budget, uv_loop_t *loop, uint64_t size_ns);

void work_budget_ticket_init(struct work_budget_ticket *ticket);

/*
 * Begins a piece of work. Returns false if the budget of this turn is spent or other tickets wait; the caller
 * must then call work_budget_wait. After true, the caller must call work_budget_end. Work that begins inside
 * other work is a part of it and never waits.
 */
bool work_budget_begin(struct work_budget *budget);
void work_budget_end(struct work_budget *budget);

/*
 * Queues a ticket. on_turn runs once, in a later turn, unless the ticket is removed first. The budget
 * measures on_turn itself, without work_budget_begin and work_budget_end. Tickets with `first` go before all
 * others.
 */
void work_budget_wait(struct work_budget *budget, struct work_budget_ticket *ticket, bool first,
                      work_budget_fn on_turn);

/* Calls `work` at once if the budget allows it, and otherwise waits and calls it in a later turn. */
void work_budget_do(struct work_budget *budget, struct work_budget_ticket *ticket, bool first,
                    work_budget_fn work);

/* Removes a ticket from its queue. Does nothing if the ticket does not wait. */
void work_budget_leave(struct work_budget_ticket *ticket);

/* Closes the budget. No ticket may be waiting (asserted). The memory must stay valid until on_closed. */
void work_budget_close(struct work_budget *budget, uv_close_cb on_closed);

#endif
