#include "net/read_budget.h"

#include "base/container.h"

#include <assert.h>

/* Whose reads, if each is some kilobytes, are about one budget: more would only have to wait again. */
#define TICKETS_A_TURN 64

/* Runs in each turn before the loop looks at what is ready. */
static void on_turn(uv_prepare_t *turn)
{
    struct read_budget *budget = container_of(turn, struct read_budget, turn);
    struct link *link;
    budget->used = 0;
    for (unsigned n = 0; n < TICKETS_A_TURN && (link = list_pop(&budget->line)); n++) {
        struct read_budget_ticket *ticket = container_of(link, struct read_budget_ticket, link);
        ticket->on_turn(ticket);
    }
}

void read_budget_init(struct read_budget *budget, uv_loop_t *loop, size_t size)
{
    *budget = (struct read_budget){.size = size};
    list_init(&budget->line);
    uv_prepare_init(loop, &budget->turn);
    uv_prepare_start(&budget->turn, on_turn);
}

void read_budget_ticket_init(struct read_budget_ticket *ticket)
{
    *ticket = (struct read_budget_ticket){0};
    link_init(&ticket->link);
}

void read_budget_wait(struct read_budget *budget, struct read_budget_ticket *ticket,
                      read_budget_fn on_turn_of_ticket)
{
    ticket->on_turn = on_turn_of_ticket;
    list_append(&budget->line, &ticket->link);
}

void read_budget_leave(struct read_budget_ticket *ticket)
{
    link_remove(&ticket->link);
}

static void on_closed(uv_handle_t *handle)
{
    struct read_budget *budget = container_of(handle, struct read_budget, turn);
    budget->on_close(budget);
}

void read_budget_close(struct read_budget *budget, read_budget_close_fn on_close)
{
    assert(list_is_empty(&budget->line));
    budget->on_close = on_close;
    uv_close((uv_handle_t *) &budget->turn, on_closed);
}
