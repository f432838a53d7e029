#include "net/limiter.h"

#include "base/container.h"

void limiter_init(struct limiter *limiter, unsigned limit)
{
    *limiter = (struct limiter){.limit = limit};
    list_init(&limiter->line);
    list_init(&limiter->behind_all);
}

void limiter_ticket_init(struct limiter_ticket *ticket)
{
    *ticket = (struct limiter_ticket){0};
    link_init(&ticket->link);
}

static void admit(struct limiter *limiter, struct limiter_ticket *ticket)
{
    limiter->inside++;
    ticket->inside = true;
    ticket->on_enter(ticket);
}

unsigned limiter_hold_ms(const struct limiter *limiter)
{
    size_t hold_ms = (size_t) LIMITER_TURN_MS * limiter->limit / (limiter->limit + limiter->waiting);
    if (hold_ms > LIMITER_HOLD_MS) return LIMITER_HOLD_MS;
    return hold_ms < LIMITER_HOLD_MIN_MS ? LIMITER_HOLD_MIN_MS : (unsigned) hold_ms;
}

void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter)
{
    ticket->on_enter = on_enter;
    if (limiter->inside < limiter->limit) {
        admit(limiter, ticket);
        return;
    }
    list_append(ticket->failed ? &limiter->behind_all : &limiter->line, &ticket->link);
    limiter->waiting++;
}

void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket)
{
    if (link_is_linked(&ticket->link)) {
        link_remove(&ticket->link);
        limiter->waiting--;
    }
    if (!ticket->inside) return;
    ticket->inside = false;
    limiter->inside--;

    struct link *next = list_pop(&limiter->line);
    if (!next) next = list_pop(&limiter->behind_all);
    if (!next) return;
    limiter->waiting--;
    admit(limiter, container_of(next, struct limiter_ticket, link));
}
