/*
 * Limits the bytes that are read in one turn of the loop, so that a burst of answers delays everything else
 * by at most a few milliseconds. A reader that finds the budget spent is refused. Its bytes wait in the
 * kernel until a later turn.
 *
 * Most refused readers stay: they continue to watch their socket, and the loop reports the same bytes again
 * in the next turn. That costs no system call. If many readers are refused in one turn, the further ones stop
 * watching and queue.
 *
 * The budget is divided into shares. A reader reads one share and then queues for the next. Readers that have
 * used the fewest shares go first. So peers that send without end only get what the other readers leave.
 *
 * The limit is needed because libuv handles every ready socket before it runs timers and everything else. The
 * limit is in bytes rather than in time, because bytes are the same on every machine and in every test.
 */
#ifndef NET_READ_BUDGET_H
#define NET_READ_BUDGET_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

/* Cost of a read in addition to its bytes. Even a read that returns the end of a connection takes time. */
#define READ_BUDGET_READ_COST 4096

/* Bytes that a reader may read before it has to queue again. */
#define READ_BUDGET_SHARE (64 * 1024)

/*
 * Number of queues. Queue n holds readers that have used n shares; the last queue also holds readers that
 * have used more.
 */
#define READ_BUDGET_LINES 8

/*
 * Most refusals in a turn whose readers may stay. Each costs a fraction of a microsecond in each turn, so
 * many more would take the time that the budget is meant to leave.
 */
#define READ_BUDGET_STAYS 256

struct read_budget;
struct read_budget_ticket;

typedef void (*read_budget_fn)(struct read_budget_ticket *ticket);
typedef void (*read_budget_close_fn)(struct read_budget *budget);

/* A reader. Embedded in its owner, which must call read_budget_leave before freeing it. */
struct read_budget_ticket {
    struct link link; /* in a queue */
    uint32_t left;    /* unread bytes of the current share */
    uint16_t shares;  /* number of shares used up, at most READ_BUDGET_LINES */
    bool refused;     /* refused since its last read, so bytes may be unread */
    read_budget_fn on_turn;
};

struct read_budget {
    uv_prepare_t turn;
    size_t size, used;                    /* bytes per turn, and bytes used in this turn */
    unsigned stays;                       /* refusals of this turn whose readers have stayed */
    struct list lines[READ_BUDGET_LINES]; /* queues of readers by the number of shares used */
    read_budget_close_fn on_close;
};

/*
 * Initialises a budget of `size` bytes per turn; 0 means no limit. Keeps the loop alive until the budget is
 * closed.
 */
void read_budget_init(struct read_budget *budget, uv_loop_t *loop, size_t size);

/* Gives the ticket a full share, and forgets what it used before. A queued ticket stays queued. */
void read_budget_ticket_renew(struct read_budget_ticket *ticket);

/* Initialises a ticket that is not queued and has a full share. */
void read_budget_ticket_init(struct read_budget_ticket *ticket);

/* Returns true if the reader must not read more in this turn. */
static inline bool read_budget_is_spent(const struct read_budget *budget,
                                        const struct read_budget_ticket *ticket)
{
    return budget->size && (budget->used >= budget->size || ticket->left == 0);
}

/* Charges other work to this turn as if `bytes` bytes had been read. */
static inline void read_budget_charge(struct read_budget *budget, size_t bytes)
{
    budget->used += bytes;
}

/* Charges a read of n bytes, or a read that returned the end or an error (n < 0). */
static inline void read_budget_take(struct read_budget *budget, struct read_budget_ticket *ticket, ssize_t n)
{
    uint32_t bytes = n > 0 ? (uint32_t) n : 0;
    read_budget_charge(budget, READ_BUDGET_READ_COST + bytes);
    ticket->left -= bytes < ticket->left ? bytes : ticket->left;
    ticket->refused = false;
}

/*
 * Refuses a reader that found the budget spent. Returns true if the reader may stay: it continues to watch
 * its socket. Returns false if the reader must stop watching and call read_budget_wait.
 */
bool read_budget_refuse(struct read_budget *budget, struct read_budget_ticket *ticket);

/*
 * Queues the ticket. on_turn runs once, at the beginning of a later turn, unless the ticket is removed first.
 * A reader that has used up its share gets a new share.
 */
void read_budget_wait(struct read_budget *budget, struct read_budget_ticket *ticket, read_budget_fn on_turn);

/* Removes a ticket from its queue. Does nothing if the ticket does not wait. */
void read_budget_leave(struct read_budget_ticket *ticket);

/* Closes the budget. on_close runs once, from the loop. No ticket may be waiting (asserted). */
void read_budget_close(struct read_budget *budget, read_budget_close_fn on_close);

#endif
