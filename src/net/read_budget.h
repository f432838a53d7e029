/*
 * Limits the bytes that are read in one turn of the loop, so that a burst of answers delays everything else
 * by a few milliseconds at most. A reader that finds the budget spent waits for a later turn; the bytes wait
 * in the kernel.
 *
 * The budget is divided into shares. A reader reads one share, then queues for the next. Readers with the
 * fewest shares so far go first, so that peers that send without end get only what the others leave.
 *
 * The reason: in one turn, libuv handles every socket that is ready before it runs timers and everything
 * else. The limit is in bytes rather than in time, because bytes are the same on every machine and in every
 * test.
 */
#ifndef NET_READ_BUDGET_H
#define NET_READ_BUDGET_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* The cost of a read besides its bytes, since even a read that finds the end of a connection takes time. */
#define READ_BUDGET_READ_COST 4096

/* Bytes that a reader may read before it has to wait in line. */
#define READ_BUDGET_SHARE (64 * 1024)

/* Readers with this many shares or more have the same priority. */
#define READ_BUDGET_LINES 8

struct read_budget;
struct read_budget_ticket;

typedef void (*read_budget_fn)(struct read_budget_ticket *ticket);
typedef void (*read_budget_close_fn)(struct read_budget *budget);

/* One reader. Embedded in its owner, which keeps it until it has left. */
struct read_budget_ticket {
    struct link link; /* in line */
    uint32_t left;    /* bytes of its share */
    uint32_t shares;  /* that it has read to the end */
    read_budget_fn on_turn;
};

struct read_budget {
    uv_prepare_t turn;
    size_t size, used;                    /* bytes */
    struct list lines[READ_BUDGET_LINES]; /* by the shares that a reader has had */
    read_budget_close_fn on_close;
};

/* `size` bytes in each turn, 0 for no bound. Keeps the loop alive until it is closed. */
void read_budget_init(struct read_budget *budget, uv_loop_t *loop, size_t size);

/* Gives it a whole share, as one that has not read yet; it stays in line if it waits there. */
void read_budget_ticket_renew(struct read_budget_ticket *ticket);

/* As renewed, and not in line. */
void read_budget_ticket_init(struct read_budget_ticket *ticket);

/* Whether that reader should read nothing more in this turn. */
static inline bool read_budget_is_spent(const struct read_budget *budget,
                                        const struct read_budget_ticket *ticket)
{
    return budget->size && (budget->used >= budget->size || ticket->left == 0);
}

/* Work of other kinds that belongs to this turn, as if so many bytes had been read. */
static inline void read_budget_charge(struct read_budget *budget, size_t bytes)
{
    budget->used += bytes;
}

/* A read of n bytes, or of an end or an error (n < 0). */
static inline void read_budget_take(struct read_budget *budget, struct read_budget_ticket *ticket, ssize_t n)
{
    uint32_t bytes = n > 0 ? (uint32_t) n : 0;
    read_budget_charge(budget, READ_BUDGET_READ_COST + bytes);
    ticket->left -= bytes < ticket->left ? bytes : ticket->left;
}

/* Calls on_turn once, at the beginning of a later turn, unless the ticket leaves before. A reader that has
 * read its share has a new one then. */
void read_budget_wait(struct read_budget *budget, struct read_budget_ticket *ticket, read_budget_fn on_turn);

/* Harmless for one who does not wait. */
void read_budget_leave(struct read_budget_ticket *ticket);

/* on_close runs once, from the loop. Nobody may be waiting (asserted). */
void read_budget_close(struct read_budget *budget, read_budget_close_fn on_close);

#endif
