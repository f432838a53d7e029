#include "net/limiter.h"

#include "base/container.h"

void limiter_init(struct limiter *limiter, unsigned limit)
{
    limiter->limit = limit;
    limiter->inside = 0;
    list_init(&limiter->line);
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

void limiter_enter(struct limiter *limiter, struct limiter_ticket *ticket, limiter_fn on_enter)
{
    ticket->on_enter = on_enter;
    if (limiter->inside < limiter->limit)
        admit(limiter, ticket);
    else
        list_append(&limiter->line, &ticket->link);
}

void limiter_leave(struct limiter *limiter, struct limiter_ticket *ticket)
{
    link_remove(&ticket->link);
    if (!ticket->inside) return;
    ticket->inside = false;
    limiter->inside--;

    struct link *next = list_pop(&limiter->line);
    if (next) admit(limiter, container_of(next, struct limiter_ticket, link));
}
