#include "net/ration.h"

#include "base/container.h"

#include <assert.h>

/* Whose reads, if each is some kilobytes, are about one ration: more would only have to wait again. */
#define TICKETS_A_TURN 64

/* Runs in each turn before the loop looks at what is ready. */
static void on_turn(uv_prepare_t *turn)
{
    struct ration *ration = container_of(turn, struct ration, turn);
    struct link *link;
    ration->used = 0;
    for (unsigned n = 0; n < TICKETS_A_TURN && (link = list_pop(&ration->line)); n++) {
        struct ration_ticket *ticket = container_of(link, struct ration_ticket, link);
        ticket->on_turn(ticket);
    }
}

void ration_init(struct ration *ration, uv_loop_t *loop, size_t size)
{
    *ration = (struct ration){.size = size};
    list_init(&ration->line);
    uv_prepare_init(loop, &ration->turn);
    uv_prepare_start(&ration->turn, on_turn);
}

void ration_ticket_init(struct ration_ticket *ticket)
{
    *ticket = (struct ration_ticket){0};
    link_init(&ticket->link);
}

void ration_wait(struct ration *ration, struct ration_ticket *ticket, ration_fn on_turn_of_ticket)
{
    ticket->on_turn = on_turn_of_ticket;
    list_append(&ration->line, &ticket->link);
}

void ration_leave(struct ration_ticket *ticket)
{
    link_remove(&ticket->link);
}

static void on_closed(uv_handle_t *handle)
{
    struct ration *ration = container_of(handle, struct ration, turn);
    ration->on_close(ration);
}

void ration_close(struct ration *ration, ration_close_fn on_close)
{
    assert(list_is_empty(&ration->line));
    ration->on_close = on_close;
    uv_close((uv_handle_t *) &ration->turn, on_closed);
}
