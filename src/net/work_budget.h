/*
 * Limits the processor time that work takes in one turn of the loop, so that many clients that want
 * something at once delay everything else by a few milliseconds at most. Work that finds the budget spent
 * waits in line for a later turn, and the loop does not sleep until the line is empty.
 *
 * The work is measured by its processor time, so that a busy machine changes nothing. In each turn some
 * work is done, however long it takes.
 */
#ifndef NET_WORK_BUDGET_H
#define NET_WORK_BUDGET_H

#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct work_budget_ticket;

typedef void (*work_budget_fn)(struct work_budget_ticket *ticket);

/* One who works. Embedded in its owner, which keeps it until it has left. */
struct work_budget_ticket {
    struct link link; /* in line */
    work_budget_fn on_turn;
};

struct work_budget {
    uv_idle_t turn; /* active while somebody waits */
    uint64_t size_ns, used_ns, began_ns;
    uint64_t turn_ms; /* the loop's time in which `used_ns` was used */
    struct list first, others;
};

void work_budget_init(struct work_budget *budget, uv_loop_t *loop, uint64_t size_ns);

void work_budget_ticket_init(struct work_budget_ticket *ticket);

/*
 * Begins some work. False when the budget of this turn is spent or others wait: then wait. Every work that is
 * begun ends, before another one begins.
 */
bool work_budget_begin(struct work_budget *budget);
void work_budget_end(struct work_budget *budget);

/*
 * Calls on_turn once, in a later turn, unless the ticket leaves before; the work is begun then, and is ended
 * when on_turn returns. `first`: before all that are not.
 */
void work_budget_wait(struct work_budget *budget, struct work_budget_ticket *ticket, bool first,
                      work_budget_fn on_turn);

/* Harmless for one who does not wait. */
void work_budget_leave(struct work_budget_ticket *ticket);

/* Nobody may be waiting (asserted). The memory must stay until on_closed. */
void work_budget_close(struct work_budget *budget, uv_close_cb on_closed);

#endif
