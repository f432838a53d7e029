/*
 * How much may be read in one turn of the loop, so that a burst of answers holds nobody else for more than
 * some milliseconds: who finds the budget spent waits in line for a later turn, and what has arrived
 * waits in the kernel.
 *
 * The loop handles all that is ready before it comes fan_out, and with it what is due to others. Budgets bound
 * that by bytes; time would do as well, but bytes are the same on every machine, and in every test.
 */
#ifndef NET_READ_BUDGET_H
#define NET_READ_BUDGET_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* What a read takes off the budget beside its bytes: to find the end of a connection is work, too. */
#define READ_BUDGET_READ_COST 4096

struct read_budget;
struct read_budget_ticket;

typedef void (*read_budget_fn)(struct read_budget_ticket *ticket);
typedef void (*read_budget_close_fn)(struct read_budget *budget);

/* One who waits; embedded in the owner, who keeps it until it has left. */
struct read_budget_ticket {
    struct link link; /* in line */
    read_budget_fn on_turn;
};

struct read_budget {
    uv_prepare_t turn;
    size_t size, used; /* bytes */
    struct list line;
    read_budget_close_fn on_close;
};

/* `size` bytes in each turn, 0 for no bound. Keeps the loop alive until it is closed. */
void read_budget_init(struct read_budget *budget, uv_loop_t *loop, size_t size);

/* Whether nothing more should be read in this turn. */
static inline bool read_budget_is_spent(const struct read_budget *budget)
{
    return budget->size && budget->used >= budget->size;
}

/* A read of n bytes, or of an end or an error (n < 0). */
static inline void read_budget_take(struct read_budget *budget, ssize_t n)
{
    budget->used += READ_BUDGET_READ_COST + (n > 0 ? (size_t) n : 0);
}

void read_budget_ticket_init(struct read_budget_ticket *ticket);

/* Calls on_turn once, at the beginning of a later turn, unless the ticket leaves before. */
void read_budget_wait(struct read_budget *budget, struct read_budget_ticket *ticket, read_budget_fn on_turn);

/* Harmless for one who does not wait. */
void read_budget_leave(struct read_budget_ticket *ticket);

/* on_close runs once, from the loop. Nobody may be waiting (asserted). */
void read_budget_close(struct read_budget *budget, read_budget_close_fn on_close);

#endif
