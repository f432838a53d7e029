#include "net/delay_queue.h"

#include "base/container.h"

static void on_timer(uv_timer_t *timer);

/* Sets the timer to the time at which the oldest ticket is due. */
static void arm(struct delay_queue *queue)
{
    struct link *first = list_first(&queue->waiting);
    if (!first) return;
    uint64_t now = uv_now(queue->timer.loop), due = container_of(first, struct delay_ticket, link)->due_ms;
    uv_timer_start(&queue->timer, on_timer, due > now ? due - now : 0, 0);
}

/* A ticket that a callback adds is due later, so the loop ends. */
static void on_timer(uv_timer_t *timer)
{
    struct delay_queue *queue = container_of(timer, struct delay_queue, timer);
    uint64_t now = uv_now(timer->loop);
    for (struct link *link; (link = list_first(&queue->waiting));) {
        struct delay_ticket *ticket = container_of(link, struct delay_ticket, link);
        if (ticket->due_ms > now) break;
        link_remove(link);
        queue->on_due(ticket);
    }
    if (!uv_is_closing((uv_handle_t *) timer)) arm(queue);
}

void delay_queue_init(struct delay_queue *queue, uv_loop_t *loop, uint64_t delay_ms, delay_fn on_due)
{
    uv_timer_init(loop, &queue->timer);
    list_init(&queue->waiting);
    queue->delay_ms = delay_ms;
    queue->on_due = on_due;
}

void delay_queue_close(struct delay_queue *queue, struct closing *closing)
{
    while (list_pop(&queue->waiting)) continue;
    closing_close(closing, (uv_handle_t *) &queue->timer);
}

void delay_ticket_init(struct delay_ticket *ticket)
{
    link_init(&ticket->link);
    ticket->due_ms = 0;
}

void delay_queue_add(struct delay_queue *queue, struct delay_ticket *ticket)
{
    if (delay_ticket_waits(ticket)) return;
    ticket->due_ms = uv_now(queue->timer.loop) + queue->delay_ms;
    list_append(&queue->waiting, &ticket->link);
    if (!uv_is_active((uv_handle_t *) &queue->timer)) arm(queue);
}

void delay_ticket_cancel(struct delay_ticket *ticket)
{
    link_remove(&ticket->link);
}
