#include "memcached/stall.h"

#include "base/container.h"

#include <assert.h>

/* Most doublings of STALL_MS. */
#define NEEDLESS_MAX 6

void stall_init(struct stall *stall, uv_loop_t *loop, stall_fn on_stall)
{
    stall->on_stall = on_stall;
    list_init(&stall->silent);
    uv_timer_init(loop, &stall->timer);
}

static void on_due(uv_timer_t *timer)
{
    struct stall *stall = container_of(timer, struct stall, timer);
    uint64_t now_ms = uv_now(timer->loop);
    for (struct link *first; (first = list_first(&stall->silent));) {
        struct channel *channel = container_of(first, struct channel, link);
        if (channel->silent_until_ms > now_ms) {
            uv_timer_start(timer, on_due, channel->silent_until_ms - now_ms, 0);
            return;
        }
        link_remove(first);
        stall->on_stall(channel);
    }
}

/* Searches from the end of the list: nearly all channels wait for the same time. */
void stall_watch(struct stall *stall, struct channel *channel, uint64_t ms)
{
    struct link *before = stall->silent.head.previous;
    channel->silent_until_ms = uv_now(stall->timer.loop) + ms;
    while (before != &stall->silent.head &&
           container_of(before, struct channel, link)->silent_until_ms > channel->silent_until_ms)
        before = before->previous;
    link_insert(before, &channel->link);
    if (before == &stall->silent.head || !uv_is_active((uv_handle_t *) &stall->timer))
        uv_timer_start(&stall->timer, on_due, ms, 0);
}

uint64_t stall_patience_ms(const struct stall_patience *patience, uint64_t timeout_ms)
{
    uint64_t third_ms = timeout_ms / 3, longest_ms = (uint64_t) STALL_MS << patience->needless;
    return third_ms < longest_ms ? third_ms : longest_ms;
}

void stall_learn(struct stall_patience *patience, bool kept, uint64_t asked_ns)
{
    bool quick = !patience->doubted && uv_hrtime() - asked_ns < STALL_MS * 1000000ull;
    if (quick || !kept)
        patience->needless = 0;
    else if (patience->doubted && patience->needless < NEEDLESS_MAX)
        patience->needless++;
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct stall *stall = container_of((uv_timer_t *) handle, struct stall, timer);
    stall->on_close(stall);
}

void stall_close(struct stall *stall, stall_close_fn on_close)
{
    assert(list_is_empty(&stall->silent));
    stall->on_close = on_close;
    uv_close((uv_handle_t *) &stall->timer, on_timer_closed);
}
