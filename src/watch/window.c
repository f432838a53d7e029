/*
 * Two connections: the first asks for `stats`, the second is the watcher, which cannot ask anything.
 *
 *     window_start -> on_asker_open -> stats -> on_stats_end -> watch -> on_log_line*
 *         -> on_tick (time is over) -> finish -> stats -> on_stats_end -> on_done
 *
 * While the window is open, every tick asks for `stats`, which tell whether a thread of the server had to
 * drop events. `finish` closes the watcher at once; the last `stats` only count what was dropped.
 */
#include "watch/window.h"

#include "base/clock.h"
#include "base/number.h"
#include "watch/window_tally.h"

#include <stdio.h>
#include <stdlib.h>

/* Time between two looks at the clock and at the server's counters, unless the window is shorter. */
#define TICK_MS 250

/* Time for connections and answers, if the target's time-out is longer. */
#define PATIENCE_MS 10000

enum window_phase {
    WINDOW_ASKING,  /* waits for the first `stats` */
    WINDOW_OPENING, /* waits for the answer to `watch` */
    WINDOW_OPEN,
    WINDOW_CLOSING, /* waits for the last `stats` */
};

struct window {
    struct window_plan plan;
    window_fn on_done;
    void *context;
    struct feed *asker, *watcher; /* owned */
    struct window_tally *tally;   /* owned */
    uv_timer_t timer;
    enum window_phase phase;
    enum watch_result result; /* result of the window, once it is closing */
    unsigned streams;
    struct watch_event event; /* the last line */
    struct server_version version;
    bool has_version, has_dropped;    /* what the current `stats` have reported so far */
    bool asked;                       /* `stats` is not answered yet */
    uint64_t dropped, first_dropped;  /* the server's counter now, and before the window */
    uint64_t phase_ms;                /* start of the phase */
    uint64_t second_ms, second_bytes; /* start of the current second, and bytes read in it */
    bool done;
};

static uint64_t now_ms(const struct window *window)
{
    return uv_now(window->plan.feed.loop);
}

static void enter_phase(struct window *window, enum window_phase phase)
{
    window->phase = phase;
    window->phase_ms = now_ms(window);
}

/* --- The end --- */

static void report_result(struct window *window, enum watch_result result, const char *why)
{
    if (window->done) return;
    window->done = true;
    uv_timer_stop(&window->timer);
    feed_free(window->watcher);
    feed_free(window->asker);
    window->watcher = window->asker = NULL;
    window->plan.record->windows[result]++;
    window->on_done(window->context, result, why);
}

static void fail_window(struct window *window, const char *why)
{
    report_result(window, WATCH_FAILED, why);
}

static void ask_stats(struct window *window)
{
    int status = feed_send(window->asker, "stats\r\n");
    if (status < 0) {
        fail_window(window, uv_strerror(status));
        return;
    }
    window->asked = true;
    window->has_version = window->has_dropped = false;
}

/* Closes the watcher and makes the report. Only the server's last counters are missing then. */
static void finish(struct window *window, enum watch_result result)
{
    uint64_t length_ms = now_ms(window) - window->phase_ms;
    feed_free(window->watcher);
    window->watcher = NULL;
    window->result = result;
    window_tally_report(window->tally, window->streams, length_ms, unix_now());
    window_tally_free(window->tally);
    window->tally = NULL;
    enter_phase(window, WINDOW_CLOSING);
    if (!window->asked) ask_stats(window);
}

/* --- The log --- */

static void count_bytes(struct window *window, size_t bytes)
{
    if (now_ms(window) - window->second_ms >= 1000) {
        window->second_ms = now_ms(window);
        window->second_bytes = 0;
    }
    window->second_bytes += bytes;
}

static void take_log_line(struct window *window, struct slice line)
{
    struct watch_record *record = window->plan.record;
    struct watch_event *event = &window->event;
    watch_event_read(line, event);
    switch (event->kind) {
    case WATCH_EVENT:
        window_tally_add(window->tally, event, unix_now());
        break;
    case WATCH_SKIPPED:
        record->skipped[WATCH_SKIP_WATCHER] += event->skipped;
        finish(window, WATCH_DROPPED);
        return;
    case WATCH_MALFORMED:
        record->skipped[WATCH_SKIP_EXPORTER]++;
        break;
    case WATCH_UNKNOWN:
        break;
    }
    count_bytes(window, line.len + 1);
    if (window->second_bytes > window->plan.config->bytes_per_second) finish(window, WATCH_BUDGET);
}

static void on_log_line(void *context, struct slice line)
{
    struct window *window = context;
    char why[160];
    if (window->phase == WINDOW_OPEN) {
        take_log_line(window, line);
    } else if (slice_is(line, "OK")) {
        window->plan.record->streams |= window->streams;
        window->second_ms = now_ms(window);
        enter_phase(window, WINDOW_OPEN);
    } else {
        snprintf(why, sizeof(why), "the server said: %.*s", line.len > 100 ? 100 : (int) line.len, line.data);
        report_result(window, WATCH_REFUSED, why);
    }
}

static void on_watcher_open(void *context)
{
    struct window *window = context;
    char command[FEED_COMMAND_MAX];
    int len = snprintf(command, sizeof(command), "watch");
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        if (window->streams & WATCH_BIT(stream))
            len += snprintf(command + len, sizeof(command) - (size_t) len, " %s", watch_stream_name(stream));
    }
    snprintf(command + len, sizeof(command) - (size_t) len, "\r\n");
    int status = feed_send(window->watcher, command);
    if (status < 0) fail_window(window, uv_strerror(status));
}

static void on_watcher_end(void *context, const char *why)
{
    fail_window(context, why);
}

/* --- The server's counters --- */

static const struct server_version since_safe = {{1, 6, 45}}, since_deletions = {{1, 6, 20}},
                                   since_proxyreqs = {{1, 6, 16}};

static void open_watcher(struct window *window)
{
    static const struct feed_events events = {on_watcher_open, on_log_line, on_watcher_end};
    const struct watch_config *config = window->plan.config;
    const struct server_version *version = &window->version;
    char why[160];
    if (!window->has_version) {
        report_result(window, WATCH_UNSUPPORTED, "the server reports no version of memcached");
        return;
    }
    if (server_version_compare(version, &since_safe) < 0 && !watch_config_trusts(config, version)) {
        snprintf(why, sizeof(why),
                 "memcached %u.%u.%u may crash when a watcher leaves; 1.6.45 and later are watched, and "
                 "versions under trusted_versions",
                 version->part[0], version->part[1], version->part[2]);
        report_result(window, WATCH_UNSUPPORTED, why);
        return;
    }
    window->streams = config->streams;
    if (server_version_compare(version, &since_deletions) < 0) window->streams &= ~WATCH_BIT(WATCH_DELETIONS);
    if (server_version_compare(version, &since_proxyreqs) < 0) window->streams &= ~WATCH_BIT(WATCH_PROXYREQS);
    if (!window->streams) {
        report_result(window, WATCH_UNSUPPORTED, "the server knows none of the streams");
        return;
    }
    enter_phase(window, WINDOW_OPENING);
    int status = feed_start(&window->watcher, &window->plan.feed, &events, window);
    if (status < 0) fail_window(window, uv_strerror(status));
}

static void on_stats_end(struct window *window)
{
    bool has_more = window->has_dropped && window->dropped > window->first_dropped;
    window->asked = false;
    switch (window->phase) {
    case WINDOW_ASKING:
        window->first_dropped = window->has_dropped ? window->dropped : UINT64_MAX;
        open_watcher(window);
        return;
    case WINDOW_OPENING:
        return;
    case WINDOW_OPEN:
        if (has_more) finish(window, WATCH_DROPPED);
        return;
    case WINDOW_CLOSING:
        break;
    }
    if (has_more) window->plan.record->skipped[WATCH_SKIP_WORKER] += window->dropped - window->first_dropped;
    report_result(window, window->result, "");
}

static void on_stats_line(void *context, struct slice line)
{
    struct window *window = context;
    if (!window->asked) return;
    if (slice_is(line, "END")) {
        on_stats_end(window);
    } else if (slice_starts(line, "STAT version ")) {
        window->has_version = server_version_parse(slice_from(line, 13), &window->version);
    } else if (slice_starts(line, "STAT log_worker_dropped ")) {
        window->has_dropped = number_parse_u64(slice_from(line, 24), &window->dropped);
    } else if (!slice_starts(line, "STAT ")) {
        fail_window(window, "the answer to stats is not in the memcached protocol");
    }
}

static void on_asker_open(void *context)
{
    ask_stats(context);
}

/* Once the report is made, only the server's last counters are missing. */
static void on_asker_end(void *context, const char *why)
{
    struct window *window = context;
    if (window->phase == WINDOW_CLOSING)
        report_result(window, window->result, "");
    else
        fail_window(window, why);
}

/* --- Time --- */

static uint64_t patience_ms(const struct window *window)
{
    uint64_t timeout_ms = window->plan.feed.profile->timeout_ms;
    return timeout_ms < PATIENCE_MS ? timeout_ms : PATIENCE_MS;
}

static void on_tick(uv_timer_t *timer)
{
    struct window *window = timer->data;
    uint64_t passed_ms = now_ms(window) - window->phase_ms;
    if (window->phase == WINDOW_OPEN) {
        if (passed_ms >= window->plan.config->window_ns / 1000000)
            finish(window, WATCH_COMPLETE);
        else if (!window->asked)
            ask_stats(window);
    } else if (passed_ms >= patience_ms(window)) {
        if (window->phase == WINDOW_CLOSING)
            report_result(window, window->result, "");
        else
            fail_window(window, "the server did not answer in time");
    }
}

static void on_timer_closed(uv_handle_t *handle)
{
    free(handle->data);
}

int window_start(struct window **result, const struct window_plan *plan, window_fn on_done, void *context)
{
    static const struct feed_events events = {on_asker_open, on_stats_line, on_asker_end};
    struct window *window = calloc(1, sizeof(*window));
    if (!window) return UV_ENOMEM;
    window->plan = *plan;
    window->on_done = on_done;
    window->context = context;
    window->tally = window_tally_new(plan->config, plan->secret, plan->record);
    uv_timer_init(plan->feed.loop, &window->timer);
    window->timer.data = window;
    enter_phase(window, WINDOW_ASKING);
    int status = window->tally ? feed_start(&window->asker, &window->plan.feed, &events, window) : UV_ENOMEM;
    uint64_t tick_ms =
        plan->config->window_ns / 1000000 < TICK_MS ? plan->config->window_ns / 1000000 : TICK_MS;
    if (status == 0) status = uv_timer_start(&window->timer, on_tick, tick_ms, tick_ms);
    if (status < 0)
        window_free(window);
    else
        *result = window;
    return status;
}

void window_free(struct window *window)
{
    if (!window) return;
    window->done = true;
    feed_free(window->watcher);
    feed_free(window->asker);
    window->watcher = window->asker = NULL;
    window_tally_free(window->tally);
    window->tally = NULL;
    uv_close((uv_handle_t *) &window->timer, on_timer_closed);
}
