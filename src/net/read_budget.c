#include "net/read_budget.h"

#include "base/container.h"

#include <assert.h>

/*
 * Most readers to wake in one turn. More readers would exceed the budget and queue again at once. A reader
 * with its first share usually reads some kilobytes and counts as 1. Any other reader reads a full share and
 * counts as LOUD_WEIGHT.
 */
#define READERS_A_TURN 64
#define LOUD_WEIGHT    4

/* Runs in each turn before the loop polls for events. Readers that have stayed read again without a call. */
static void on_turn(uv_prepare_t *turn)
{
    struct read_budget *budget = container_of(turn, struct read_budget, turn);
    unsigned readers = budget->stays;
    budget->used = 0;
    budget->stays = 0;
    for (unsigned n = 0; n < READ_BUDGET_LINES; n++) {
        for (struct link *link; readers < READERS_A_TURN && (link = list_pop(&budget->lines[n]));) {
            struct read_budget_ticket *ticket = container_of(link, struct read_budget_ticket, link);
            readers += n ? LOUD_WEIGHT : 1;
            ticket->on_turn(ticket);
        }
    }
}

void read_budget_init(struct read_budget *budget, uv_loop_t *loop, size_t size)
{
    *budget = (struct read_budget){.size = size};
    for (unsigned n = 0; n < READ_BUDGET_LINES; n++) list_init(&budget->lines[n]);
    uv_prepare_init(loop, &budget->turn);
    uv_prepare_start(&budget->turn, on_turn);
}

void read_budget_ticket_renew(struct read_budget_ticket *ticket)
{
    ticket->left = READ_BUDGET_SHARE;
    ticket->shares = 0;
    ticket->refused = false;
}

void read_budget_ticket_init(struct read_budget_ticket *ticket)
{
    *ticket = (struct read_budget_ticket){0};
    link_init(&ticket->link);
    read_budget_ticket_renew(ticket);
}

/*
 * A reader that has used up its share queues behind the readers with fewer shares. Nobody stays while a
 * reader of the first queue waits, because those who stay read before those who queue.
 */
bool read_budget_refuse(struct read_budget *budget, struct read_budget_ticket *ticket)
{
    ticket->refused = true;
    if (ticket->left == 0 || ticket->shares > 0) return false;
    if (budget->stays == READ_BUDGET_STAYS || !list_is_empty(&budget->lines[0])) return false;
    budget->stays++;
    return true;
}

void read_budget_wait(struct read_budget *budget, struct read_budget_ticket *ticket,
                      read_budget_fn on_turn_of_ticket)
{
    ticket->on_turn = on_turn_of_ticket;
    if (ticket->left == 0) {
        ticket->left = READ_BUDGET_SHARE;
        if (ticket->shares < READ_BUDGET_LINES) ticket->shares++;
    }
    unsigned line = ticket->shares < READ_BUDGET_LINES ? ticket->shares : READ_BUDGET_LINES - 1;
    list_append(&budget->lines[line], &ticket->link);
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
    for (unsigned n = 0; n < READ_BUDGET_LINES; n++) assert(list_is_empty(&budget->lines[n]));
    budget->on_close = on_close;
    uv_close((uv_handle_t *) &budget->turn, on_closed);
}
