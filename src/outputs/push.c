/*
 * The happy path: on_tick -> the owner's collect -> push_deliver -> on_done -> schedule -> on_tick, at fixed
 * multiples of the interval.
 *
 * What can go wrong: libcurl cannot be set up, there is nothing to push, or the gateway cannot be reached,
 * does not answer or refuses. Each is a failed push. record() counts it, and the next tick comes after a
 * back-off.
 *
 * push_close ends the push in any phase. While collecting, it waits for push_deliver. While sending, it
 * cancels the request. But if a DELETE must follow, the request may first take up to PUSH_EXIT_MS
 * (on_patience_over). Then leave() sends the DELETE, or shut() closes at once.
 */
#include "outputs/push.h"

#include "base/container.h"
#include "base/duration.h"
#include "base/log.h"
#include "base/retry.h"
#include "outputs/gateway.h"

#include <assert.h>

#define RETRY_LONGEST_MS (UINT64_C(5) * 60 * 1000)
#define RETRY_SPREAD                                                                                         \
    25 /* per cent that a delay may grow, so that exporters do not all return to a gateway at once */

/* --- The end --- */

static void part_closed(struct push *push)
{
    if (--push->parts == 0) push->on_close(push);
}

static void on_timer_closed(uv_handle_t *handle)
{
    part_closed(container_of(handle, struct push, timer));
}

static void on_gateway_closed(void *context)
{
    part_closed(context);
}

static void shut(struct push *push)
{
    push->parts = push->gateway ? 2 : 1;
    if (push->gateway) gateway_close(push->gateway, on_gateway_closed, push);
    uv_close((uv_handle_t *) &push->timer, on_timer_closed);
}

static void end_delete(struct push *push, const char *error)
{
    if (error)
        log_line(LOG_WARN, "cannot delete the pushed group, it stays at the Pushgateway",
                 LOG_FIELD("url", push->config->url), LOG_FIELD("job", push->config->job),
                 LOG_FIELD("err", error));
    else
        log_line(LOG_INFO, "deleted the pushed group", LOG_FIELD("url", push->config->url),
                 LOG_FIELD("job", push->config->job));
    shut(push);
}

/* Sends the DELETE if there is anything to delete, otherwise closes. No request may be in progress. */
static void leave(struct push *push)
{
    uv_timer_stop(&push->timer);
    if (!push->config->delete_on_exit || !push->sent) {
        shut(push);
        return;
    }
    push->phase = PUSH_DELETING;
    uint64_t timeout_ms = duration_to_ms(push->config->timeout_ns);
    if (timeout_ms > PUSH_EXIT_MS) timeout_ms = PUSH_EXIT_MS;
    const char *error = gateway_delete(push->gateway, timeout_ms);
    if (error) end_delete(push, error);
}

/* --- One push --- */

static void record(struct push *push, const char *error);
static void on_done(void *context, const char *error);

static void on_tick(uv_timer_t *timer)
{
    struct push *push = container_of(timer, struct push, timer);
    assert(push->phase == PUSH_WAITING);
    push->phase = PUSH_COLLECTING;
    push->started_ms = uv_now(push->timer.loop);
    int result = push->gateway ? 0
                               : gateway_new(&push->gateway, push->timer.loop, push->config,
                                             &gateway_of_groups, on_done, push);
    if (result < 0)
        record(push, uv_strerror(result));
    else
        push->collect(push);
}

/* Returns ten intervals or five minutes, whichever is less, but never less than the interval. */
static uint64_t longest_retry_ms(uint64_t interval_ms)
{
    uint64_t longest_ms = interval_ms > RETRY_LONGEST_MS / 10 ? RETRY_LONGEST_MS : interval_ms * 10;
    return longest_ms > interval_ms ? longest_ms : interval_ms;
}

/*
 * Schedules the next tick: at the next multiple of the interval, skipping ticks during the last push; or
 * after a back-off.
 */
static void schedule(struct push *push)
{
    uint64_t interval_ms = duration_to_ms(push->config->interval_ns);
    uint64_t delay_ms, taken_ms = uv_now(push->timer.loop) - push->started_ms;
    uint32_t random = 0;
    if (push->failing) {
        /* Without random bytes there is no jitter, which is harmless. */
        uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
        delay_ms = retry_delay_ms(interval_ms, longest_retry_ms(interval_ms), push->failing);
        delay_ms = retry_spread_ms(delay_ms, 0, RETRY_SPREAD, random);
    } else {
        delay_ms = interval_ms - taken_ms % interval_ms;
    }
    uv_timer_start(&push->timer, on_tick, delay_ms, 0);
}

static void record_failure(struct push *push, const char *error)
{
    push->counts.failures++;
    push->failing++;
    log_line(push->failing == 1 ? LOG_WARN : LOG_DEBUG,
             push->on_once ? "push failed" : "push failed, trying again later",
             LOG_FIELD("url", push->config->url), LOG_FIELD("job", push->config->job),
             LOG_FIELD("err", error));
}

static void record_success(struct push *push)
{
    if (push->failing)
        log_line(LOG_INFO, "push works again", LOG_FIELD("url", push->config->url),
                 LOG_FIELD("job", push->config->job));
    push->failing = 0;
}

/* Ends one push. `error` is NULL after a success. */
static void record(struct push *push, const char *error)
{
    push->phase = PUSH_WAITING;
    push->counts.attempts++;
    if (error)
        record_failure(push, error);
    else
        record_success(push);
    if (push->closing)
        leave(push);
    else if (push->on_once)
        push->on_once(push, !error);
    else
        schedule(push);
}

static void on_done(void *context, const char *error)
{
    struct push *push = context;
    if (push->phase == PUSH_DELETING)
        end_delete(push, error);
    else
        record(push, error);
}

void push_deliver(struct push *push, struct producer *producer)
{
    assert(push->phase == PUSH_COLLECTING);
    if (push->closing) {
        if (producer) producer->release(producer);
        push->phase = PUSH_WAITING;
        leave(push);
        return;
    }
    const char *error = producer ? gateway_push(push->gateway, producer) : "the exposition could not be made";
    if (error) {
        record(push, error);
        return;
    }
    push->phase = PUSH_SENDING;
    push->sent = true;
}

/* --- Life --- */

void push_start(struct push *push, uv_loop_t *loop, const struct push_config *config, push_collect_fn collect,
                push_once_fn on_once)
{
    *push = (struct push){.config = config, .collect = collect, .on_once = on_once};
    uv_timer_init(loop, &push->timer);
    uv_timer_start(&push->timer, on_tick, 0, 0);
}

static void on_patience_over(uv_timer_t *timer)
{
    struct push *push = container_of(timer, struct push, timer);
    if (push->gateway) gateway_cancel(push->gateway);
    leave(push);
}

void push_close(struct push *push, push_close_fn on_close)
{
    assert(!push->closing);
    push->closing = true;
    push->on_close = on_close;
    uv_timer_stop(&push->timer);
    if (push->phase == PUSH_COLLECTING) return;
    if (push->phase == PUSH_SENDING && push->config->delete_on_exit) {
        uv_timer_start(&push->timer, on_patience_over, PUSH_EXIT_MS, 0);
        return;
    }
    if (push->gateway) gateway_cancel(push->gateway);
    leave(push);
}
