/*
 * The happy path: on_tick -> the owner's collect -> push_deliver -> on_done -> schedule -> on_tick, on the
 * grid of the interval.
 *
 * What can go wrong: there is nothing to push, or the gateway cannot be reached, is silent or refuses: each
 * is a failed push, told to record(), and the next tick comes after a back-off.
 *
 * push_close ends it from any phase: collecting waits for push_deliver; sending is cancelled, or may end
 * within PUSH_EXIT_MS if a DELETE has to come behind it (on_patience_over); then leave() sends that DELETE,
 * or shut() closes at once.
 */
#include "outputs/push.h"

#include "base/container.h"
#include "base/log.h"
#include "outputs/backoff.h"
#include "outputs/gateway.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum phase {
    PHASE_WAITING, /* for a tick */
    PHASE_COLLECTING,
    PHASE_SENDING,
    PHASE_DELETING,
};

struct push {
    uv_loop_t *loop; /* borrowed */
    uv_timer_t timer;
    struct gateway *gateway;
    char *url; /* as configured, for the log */
    char *job;
    uint64_t interval_ms, timeout_ms;
    bool delete_on_exit;
    push_collect_fn collect;
    void *context;

    enum phase phase;
    uint64_t started_ms; /* the last tick, in loop time */
    unsigned failing;    /* failures in a row */
    bool sent;           /* the gateway may have got something */
    struct push_counts counts;

    bool closing;
    unsigned parts; /* timer and gateway, until they are closed */
    push_close_fn on_close;
    void *close_context;
};

/* --- The end --- */

static void part_closed(struct push *push)
{
    if (--push->parts > 0) return;
    push_close_fn on_close = push->on_close;
    void *context = push->close_context;
    free(push->url);
    free(push->job);
    free(push);
    on_close(context);
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
    push->parts = 2;
    gateway_close(push->gateway, on_gateway_closed, push);
    uv_close((uv_handle_t *) &push->timer, on_timer_closed);
}

static void end_delete(struct push *push, const char *error)
{
    if (error)
        log_line(LOG_WARN, "the pushed group could not be deleted", LOG_FIELD("url", push->url),
                 LOG_FIELD("job", push->job), LOG_FIELD("err", error));
    else
        log_line(LOG_INFO, "the pushed group is deleted", LOG_FIELD("url", push->url),
                 LOG_FIELD("job", push->job));
    shut(push);
}

/* Nothing is under way. */
static void leave(struct push *push)
{
    uv_timer_stop(&push->timer);
    if (!push->delete_on_exit || !push->sent) {
        shut(push);
        return;
    }
    push->phase = PHASE_DELETING;
    uint64_t timeout_ms = push->timeout_ms < PUSH_EXIT_MS ? push->timeout_ms : PUSH_EXIT_MS;
    const char *error = gateway_delete(push->gateway, timeout_ms);
    if (error) end_delete(push, error);
}

/* --- One push --- */

static void on_tick(uv_timer_t *timer)
{
    struct push *push = container_of(timer, struct push, timer);
    assert(push->phase == PHASE_WAITING);
    push->phase = PHASE_COLLECTING;
    push->started_ms = uv_now(push->loop);
    push->collect(push->context, push);
}

/* The next tick: on the grid of the interval, past those that the last push has covered, or after a back-off.
 */
static void schedule(struct push *push)
{
    uint64_t delay_ms, taken_ms = uv_now(push->loop) - push->started_ms;
    uint32_t random = 0;
    if (push->failing) {
        /* Without random bytes there is no jitter, which harms nobody. */
        uv_random(NULL, NULL, &random, sizeof(random), 0, NULL);
        delay_ms = backoff_delay_ms(push->interval_ms, push->failing, random);
    } else {
        delay_ms = push->interval_ms - taken_ms % push->interval_ms;
    }
    uv_timer_start(&push->timer, on_tick, delay_ms, 0);
}

static void record_failure(struct push *push, const char *error)
{
    push->counts.failures++;
    push->failing++;
    log_line(push->failing == 1 ? LOG_WARN : LOG_DEBUG, "push failed", LOG_FIELD("url", push->url),
             LOG_FIELD("job", push->job), LOG_FIELD("err", error));
}

static void record_success(struct push *push)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    push->counts.last_success_ms = (uint64_t) now.tv_sec * 1000 + (uint64_t) now.tv_nsec / 1000000;
    if (push->failing)
        log_line(LOG_INFO, "push works again", LOG_FIELD("url", push->url), LOG_FIELD("job", push->job));
    push->failing = 0;
}

/* One push is over, with NULL for well. */
static void record(struct push *push, const char *error)
{
    push->phase = PHASE_WAITING;
    push->counts.attempts++;
    if (error)
        record_failure(push, error);
    else
        record_success(push);
    if (push->closing)
        leave(push);
    else
        schedule(push);
}

static void on_done(void *context, const char *error)
{
    struct push *push = context;
    if (push->phase == PHASE_DELETING)
        end_delete(push, error);
    else
        record(push, error);
}

void push_deliver(struct push *push, struct source *source)
{
    assert(push->phase == PHASE_COLLECTING);
    if (push->closing) {
        if (source) source->release(source);
        push->phase = PHASE_WAITING;
        leave(push);
        return;
    }
    const char *error = source ? gateway_push(push->gateway, source) : "nothing could be collected";
    if (error) {
        record(push, error);
        return;
    }
    push->phase = PHASE_SENDING;
    push->sent = true;
}

/* --- Life --- */

static bool is_valid(const struct push_config *config)
{
    const char *setting;
    struct buffer reason;
    buffer_init(&reason, PUSH_URL_MAX);
    bool valid = push_config_check(config, &setting, &reason) == 0;
    buffer_deinit(&reason);
    return valid;
}

static int copy_settings(struct push *push, const struct push_config *config)
{
    push->interval_ms = config->interval_ms;
    push->timeout_ms = config->timeout_ms;
    push->delete_on_exit = config->delete_on_exit;
    push->url = strdup(config->url);
    push->job = strdup(config->job);
    return push->url && push->job ? 0 : UV_ENOMEM;
}

int push_new(struct push **result, uv_loop_t *loop, const struct push_config *config, push_collect_fn collect,
             void *context)
{
    if (!is_valid(config)) return UV_EINVAL;
    struct push *push = calloc(1, sizeof(*push));
    if (!push) return UV_ENOMEM;
    push->loop = loop;
    push->collect = collect;
    push->context = context;
    int status = copy_settings(push, config);
    if (status == 0) status = gateway_new(&push->gateway, loop, config, on_done, push);
    if (status < 0) {
        free(push->url);
        free(push->job);
        free(push);
        return status;
    }
    uv_timer_init(loop, &push->timer);
    uv_timer_start(&push->timer, on_tick, 0, 0);
    *result = push;
    return 0;
}

struct push_counts push_counts(const struct push *push)
{
    return push->counts;
}

static void on_patience_over(uv_timer_t *timer)
{
    struct push *push = container_of(timer, struct push, timer);
    gateway_cancel(push->gateway);
    leave(push);
}

void push_close(struct push *push, push_close_fn on_close, void *context)
{
    if (!push) return;
    assert(!push->closing);
    push->closing = true;
    push->on_close = on_close;
    push->close_context = context;
    uv_timer_stop(&push->timer);
    if (push->phase == PHASE_COLLECTING) return;
    if (push->phase == PHASE_SENDING && push->delete_on_exit) {
        uv_timer_start(&push->timer, on_patience_over, PUSH_EXIT_MS, 0);
        return;
    }
    gateway_cancel(push->gateway);
    leave(push);
}
