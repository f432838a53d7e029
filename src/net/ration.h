/*
 * How much may be read in one turn of the loop, so that a burst of answers holds nobody else for more than
 * some milliseconds: who finds the ration spent waits in line for a later turn, and what has arrived
 * waits in the kernel.
 *
 * The loop handles all that is ready before it comes round, and with it what is due to others. Rations bound
 * that by bytes; time would do as well, but bytes are the same on every machine, and in every test.
 */
#ifndef NET_RATION_H
#define NET_RATION_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

/* What a read takes off the ration beside its bytes: to find the end of a connection is work, too. */
#define RATION_READ_COST 4096

struct ration;
struct ration_ticket;

typedef void (*ration_fn)(struct ration_ticket *ticket);
typedef void (*ration_close_fn)(struct ration *ration);

/* One who waits; embedded in the owner, who keeps it until it has left. */
struct ration_ticket {
    struct link link; /* in line */
    ration_fn on_turn;
};

struct ration {
    uv_prepare_t turn;
    size_t size, used; /* bytes */
    struct list line;
    ration_close_fn on_close;
};

/* `size` bytes in each turn, 0 for no bound. Keeps the loop alive until it is closed. */
void ration_init(struct ration *ration, uv_loop_t *loop, size_t size);

/* Whether nothing more should be read in this turn. */
static inline bool ration_is_spent(const struct ration *ration)
{
    return ration->size && ration->used >= ration->size;
}

/* A read of n bytes, or of an end or an error (n < 0). */
static inline void ration_take(struct ration *ration, ssize_t n)
{
    ration->used += RATION_READ_COST + (n > 0 ? (size_t) n : 0);
}

void ration_ticket_init(struct ration_ticket *ticket);

/* Calls on_turn once, at the beginning of a later turn, unless the ticket leaves before. */
void ration_wait(struct ration *ration, struct ration_ticket *ticket, ration_fn on_turn);

/* Harmless for one who does not wait. */
void ration_leave(struct ration_ticket *ticket);

/* on_close runs once, from the loop. Nobody may be waiting (asserted). */
void ration_close(struct ration *ration, ration_close_fn on_close);

#endif
