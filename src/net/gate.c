#include "net/gate.h"

#include "base/container.h"

void gate_init(struct gate *gate, unsigned limit)
{
    gate->limit = limit;
    gate->inside = 0;
    list_init(&gate->line);
}

void gate_ticket_init(struct gate_ticket *ticket)
{
    *ticket = (struct gate_ticket){0};
    link_init(&ticket->link);
}

static void admit(struct gate *gate, struct gate_ticket *ticket)
{
    gate->inside++;
    ticket->inside = true;
    ticket->on_enter(ticket);
}

void gate_enter(struct gate *gate, struct gate_ticket *ticket, gate_fn on_enter)
{
    ticket->on_enter = on_enter;
    if (gate->inside < gate->limit)
        admit(gate, ticket);
    else
        list_append(&gate->line, &ticket->link);
}

void gate_leave(struct gate *gate, struct gate_ticket *ticket)
{
    link_remove(&ticket->link);
    if (!ticket->inside) return;
    ticket->inside = false;
    gate->inside--;

    struct link *next = list_pop(&gate->line);
    if (next) admit(gate, container_of(next, struct gate_ticket, link));
}
