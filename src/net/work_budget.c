#include "net/work_budget.h"

#include "base/clock.h"
#include "base/container.h"

#include <assert.h>

void work_budget_init(struct work_budget *budget, uv_loop_t *loop, uint64_t size_ns)
{
    *budget = (struct work_budget){.size_ns = size_ns};
    list_init(&budget->first);
    list_init(&budget->others);
    uv_idle_init(loop, &budget->turn);
}

void work_budget_ticket_init(struct work_budget_ticket *ticket)
{
    link_init(&ticket->link);
}

static bool is_empty(const struct work_budget *budget)
{
    return list_is_empty(&budget->first) && list_is_empty(&budget->others);
}

static void begin_turn(struct work_budget *budget)
{
    budget->turn_ms = uv_now(budget->turn.loop);
    budget->used_ns = 0;
}

static void begin_work(struct work_budget *budget)
{
    budget->depth = 1;
    budget->began_ns = thread_time_ns();
}

bool work_budget_begin(struct work_budget *budget)
{
    if (budget->depth > 0) {
        budget->depth++;
        return true;
    }
    if (!is_empty(budget)) return false;
    if (budget->turn_ms != uv_now(budget->turn.loop)) begin_turn(budget);
    if (budget->used_ns >= budget->size_ns) return false;
    begin_work(budget);
    return true;
}

void work_budget_end(struct work_budget *budget)
{
    if (--budget->depth == 0) budget->used_ns += thread_time_ns() - budget->began_ns;
}

static struct link *pop(struct work_budget *budget)
{
    struct link *link = list_pop(&budget->first);
    return link ? link : list_pop(&budget->others);
}

/* Runs in each turn while the idle handle is active. The loop does not wait for events meanwhile. */
static void on_turn(uv_idle_t *turn)
{
    struct work_budget *budget = container_of(turn, struct work_budget, turn);
    begin_turn(budget);
    for (struct link *link; budget->used_ns < budget->size_ns && (link = pop(budget));) {
        struct work_budget_ticket *ticket = container_of(link, struct work_budget_ticket, link);
        begin_work(budget);
        ticket->on_turn(ticket);
        work_budget_end(budget);
    }
    if (is_empty(budget)) uv_idle_stop(turn);
}

void work_budget_wait(struct work_budget *budget, struct work_budget_ticket *ticket, bool first,
                      work_budget_fn on_turn_of_ticket)
{
    ticket->on_turn = on_turn_of_ticket;
    list_append(first ? &budget->first : &budget->others, &ticket->link);
    uv_idle_start(&budget->turn, on_turn);
}

void work_budget_do(struct work_budget *budget, struct work_budget_ticket *ticket, bool first,
                    work_budget_fn work)
{
    if (work_budget_begin(budget)) {
        work(ticket);
        work_budget_end(budget);
    } else {
        work_budget_wait(budget, ticket, first, work);
    }
}

void work_budget_leave(struct work_budget_ticket *ticket)
{
    link_remove(&ticket->link);
}

void work_budget_close(struct work_budget *budget, uv_close_cb on_closed)
{
    assert(is_empty(budget));
    uv_close((uv_handle_t *) &budget->turn, on_closed);
}
