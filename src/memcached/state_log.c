/* state_log_note -> a line, or a count -> on_time: one line for all, and again later if there were many. */
#include "memcached/state_log.h"

#include "base/buffer.h"
#include "base/container.h"
#include "base/log.h"

#include <stdio.h>
#include <string.h>

static const struct {
    enum log_level level;
    const char *one, *many;
} texts[STATE_CHANGES] = {
    [STATE_DOWN] = {LOG_WARN, "target is down", "many targets are down"},
    [STATE_OTHER_REASON] = {LOG_WARN, "target is still down, for another reason",
                            "many targets are still down, for other reasons"},
    [STATE_UP] = {LOG_INFO, "target is up again", "many targets are up again"},
};

/* --- One target --- */

static void log_one(enum log_level level, enum state_change change, const char *target,
                    const struct snapshot *snapshot)
{
    const struct log_field fields[] = {LOG_FIELD("target", target),
                                       LOG_FIELD("state", target_state_name(snapshot->state)),
                                       LOG_FIELD("err", snapshot->error)};
    log_write(level, texts[change].one, fields, change == STATE_UP ? 1 : ARRAY_LEN(fields));
}

/* --- All of them --- */

static void add_name(struct state_burst *burst, const char *target)
{
    size_t len = strlen(burst->first);
    if (len + strlen(target) + 3 > sizeof(burst->first)) return;
    snprintf(burst->first + len, sizeof(burst->first) - len, "%s%s", len ? ", " : "", target);
}

static void log_many(enum state_change change, const struct state_burst *burst)
{
    char count[24];
    struct buffer states;
    buffer_init(&states, 1024);
    snprintf(count, sizeof(count), "%zu", burst->count);
    for (enum target_state state = 0; state < TARGET_STATE_COUNT; state++) {
        if (burst->states[state] == 0) continue;
        buffer_printf(&states, "%s%zu %s", states.len ? ", " : "", burst->states[state],
                      target_state_name(state));
    }
    log_line(texts[change].level, texts[change].many, LOG_FIELD("targets", count),
             (struct log_field){"states", buffer_slice(&states)}, LOG_FIELD("first", burst->first),
             LOG_FIELD("each_of_them", "at --log.level=debug"));
    buffer_deinit(&states);
}

/* Logs what has no line yet, and begins anew. Returns true if there was much to say. */
static bool log_bursts(struct state_log *log)
{
    bool much = false;
    for (enum state_change change = 0; change < STATE_CHANGES; change++) {
        struct state_burst *burst = &log->bursts[change];
        size_t own_lines = log->flooded[change] ? 0 : STATE_LOG_LINES;
        if (burst->count > own_lines) log_many(change, burst);
        log->flooded[change] = burst->count > STATE_LOG_LINES;
        much |= log->flooded[change];
        *burst = (struct state_burst){0};
    }
    return much;
}

static void on_time(uv_timer_t *timer)
{
    struct state_log *log = container_of(timer, struct state_log, timer);
    if (log_bursts(log)) uv_timer_start(timer, on_time, STATE_LOG_MS, 0);
}

void state_log_note(struct state_log *log, enum state_change change, const char *target,
                    const struct snapshot *snapshot)
{
    struct state_burst *burst = log ? &log->bursts[change] : NULL;
    bool own_line = !log || (!log->flooded[change] && burst->count < STATE_LOG_LINES);
    log_one(own_line ? texts[change].level : LOG_DEBUG, change, target, snapshot);
    if (!log) return;
    burst->count++;
    burst->states[snapshot->state]++;
    add_name(burst, target);
    if (!uv_is_active((const uv_handle_t *) &log->timer))
        uv_timer_start(&log->timer, on_time, STATE_LOG_MS, 0);
}

/* --- Life --- */

void state_log_init(struct state_log *log, uv_loop_t *loop)
{
    *log = (struct state_log){.on_close = NULL};
    uv_timer_init(loop, &log->timer);
}

static void on_timer_closed(uv_handle_t *handle)
{
    struct state_log *log = container_of(handle, struct state_log, timer);
    log->on_close(log);
}

void state_log_close(struct state_log *log, state_log_close_fn on_close)
{
    log->on_close = on_close;
    log_bursts(log);
    uv_close((uv_handle_t *) &log->timer, on_timer_closed);
}
