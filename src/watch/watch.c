/*
 * watch_set -> arrange -> on_due -> open_window -> on_window_done -> arrange
 *
 * watch_set -> arrange_census -> on_census_due -> start_census -> on_census_done -> arrange_census
 *
 * `waiting` has all servers without an open window, in the order in which their windows are due.
 */
#include "watch/watch.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/log.h"
#include "net/closing.h"

#include <stdio.h>
#include <stdlib.h>

/* Bytes of all logs that are read in one turn of the loop. */
#define TURN_BYTES (256 * 1024)

struct watch {
    uv_loop_t *loop;
    struct resolver *resolver;
    struct limiter *limiter;
    struct watch_config config;
    struct census_config census_config;
    struct siphash_secret secret;
    struct watched **servers; /* owned array, sorted by address; holds a reference to each */
    size_t count;
    struct list waiting;
    unsigned running; /* number of open windows */
    uv_timer_t timer, census_timer;
    struct census *census;   /* owned; NULL unless a census is under way */
    struct watched *counted; /* server of the census */
    struct read_budget budget;
    struct closing closing;
    watch_close_fn on_close;
    void *context;
};

static void arrange(struct watch *watch);

/* --- Servers --- */

struct watched *watched_hold(struct watched *watched)
{
    watched->references++;
    return watched;
}

void watched_release(struct watched *watched)
{
    if (!watched || --watched->references) return;
    watch_record_deinit(&watched->record);
    census_report_clear(&watched->census);
    profile_release(watched->profile);
    free(watched->address);
    free(watched->name);
    free(watched);
}

static struct watched *watched_new(struct watch *watch, const struct target *target)
{
    struct watched *watched = calloc(1, sizeof(*watched));
    if (!watched) return NULL;
    watched->references = 1;
    watched->watch = watch;
    watched->address = strdup(target->client->key.name);
    watched->name = strdup(target->name);
    watched->at = target->client->address;
    watched->profile = profile_hold(target->profile);
    watch_record_init(&watched->record, unix_now());
    link_init(&watched->link);
    if (watched->address && watched->name) return watched;
    watched_release(watched);
    return NULL;
}

/* Ends the watching of a server. Those who show it may keep it. */
static void leave_server(struct watched *watched)
{
    struct watch *watch = watched->watch;
    if (watch->counted == watched) {
        census_free(watch->census);
        watch->census = NULL;
        watch->counted = NULL;
    }
    if (watched->window) watch->running--;
    window_free(watched->window);
    watched->window = NULL;
    watched->watch = NULL;
    link_remove(&watched->link);
    watched_release(watched);
}

static void leave_all(struct watch *watch)
{
    for (size_t n = 0; n < watch->count; n++) leave_server(watch->servers[n]);
    free(watch->servers);
    watch->servers = NULL;
    watch->count = 0;
}

/* --- Windows --- */

/* Puts a server among those that wait, behind all that are due earlier. */
static void wait_for_window(struct watch *watch, struct watched *watched, uint64_t due_ms)
{
    struct link *before = watch->waiting.head.previous;
    watched->due_ms = due_ms;
    while (before != &watch->waiting.head &&
           container_of(before, struct watched, link)->due_ms > watched->due_ms)
        before = before->previous;
    link_insert(before, &watched->link);
}

/* Logs that a server cannot be watched any more, or again. */
static void log_result(struct watched *watched, enum watch_result result, const char *why)
{
    bool fails = result >= WATCH_UNSUPPORTED, failed = watched->result >= WATCH_UNSUPPORTED;
    if (fails && result != watched->result)
        log_line(result == WATCH_FAILED ? LOG_INFO : LOG_WARN,
                 "The log of a server cannot be watched. The next window tries again.",
                 LOG_FIELD("target", watched->name), LOG_FIELD("result", watch_result_name(result)),
                 LOG_FIELD("reason", why));
    else if (failed && !fails)
        log_line(LOG_INFO, "The log of a server is watched again.", LOG_FIELD("target", watched->name));
    watched->result = result;
    snprintf(watched->why, sizeof(watched->why), "%s", why);
}

static void on_window_done(void *context, enum watch_result result, const char *why)
{
    struct watched *watched = context;
    struct watch *watch = watched->watch;
    log_result(watched, result, why);
    window_free(watched->window);
    watched->window = NULL;
    watch->running--;
    wait_for_window(watch, watched, uv_now(watch->loop) + watch->config.every_ns / 1000000);
    arrange(watch);
}

static struct feed_plan feed_plan_of(struct watch *watch, struct watched *watched)
{
    return (struct feed_plan){.loop = watch->loop,
                              .resolver = watch->resolver,
                              .limiter = watch->limiter,
                              .budget = &watch->budget,
                              .address = &watched->at,
                              .profile = watched->profile,
                              .record = &watched->dial};
}

static void open_window(struct watch *watch, struct watched *watched)
{
    struct window_plan plan = {
        .feed = feed_plan_of(watch, watched),
        .config = &watch->config,
        .secret = &watch->secret,
        .record = &watched->record,
    };
    if (window_start(&watched->window, &plan, on_window_done, watched) == 0) {
        link_remove(&watched->link);
        watch->running++;
        return;
    }
    watched->record.windows[WATCH_FAILED]++;
    link_remove(&watched->link);
    wait_for_window(watch, watched, uv_now(watch->loop) + watch->config.every_ns / 1000000);
}

static void on_due(uv_timer_t *timer)
{
    arrange(timer->data);
}

/* Opens all windows that are due and have room, and waits for the next one. */
static void arrange(struct watch *watch)
{
    struct link *first;
    uint64_t now_ms = uv_now(watch->loop);
    uv_timer_stop(&watch->timer);
    while ((first = list_first(&watch->waiting)) && watch->running < watch->config.servers) {
        struct watched *watched = container_of(first, struct watched, link);
        if (watched->due_ms > now_ms) {
            uv_timer_start(&watch->timer, on_due, watched->due_ms - now_ms, 0);
            return;
        }
        open_window(watch, watched);
    }
}

/* --- Censuses --- */

static void arrange_census(struct watch *watch);
static void on_census_due(uv_timer_t *timer);

/* Sets when the next census of a server is due, `delay_ns` from now. */
static void set_census_due(struct watch *watch, struct watched *watched, uint64_t delay_ns)
{
    watched->census_due_ms = uv_now(watch->loop) + delay_ns / 1000000;
}

static void on_census_done(void *context, enum census_result result, const char *why)
{
    struct watched *watched = context;
    struct watch *watch = watched->watch;
    if (result > CENSUS_LIMITED)
        log_line(LOG_INFO, "The items of a server could not be counted. The next census tries again.",
                 LOG_FIELD("target", watched->name), LOG_FIELD("result", census_result_name(result)),
                 LOG_FIELD("reason", why));
    watched->censuses[result]++;
    census_free(watch->census);
    watch->census = NULL;
    watch->counted = NULL;
    set_census_due(watch, watched, watch->census_config.every_ns);
    arrange_census(watch);
}

static void start_census(struct watch *watch, struct watched *watched)
{
    struct census_plan plan = {feed_plan_of(watch, watched), &watch->census_config, &watch->secret,
                               &watched->census};
    if (census_start(&watch->census, &plan, on_census_done, watched) == 0) {
        watch->counted = watched;
        return;
    }
    watched->censuses[CENSUS_FAILED]++;
    set_census_due(watch, watched, watch->census_config.every_ns);
    uv_timer_start(&watch->census_timer, on_census_due, 1000, 0);
}

/* Starts the census that is due first, or waits for it. */
static void arrange_census(struct watch *watch)
{
    uint64_t now_ms = uv_now(watch->loop);
    struct watched *first = NULL;
    if (!watch->census_config.enabled || watch->census) return;
    for (size_t n = 0; n < watch->count; n++) {
        struct watched *watched = watch->servers[n];
        if (!first || watched->census_due_ms < first->census_due_ms) first = watched;
    }
    if (first && first->census_due_ms <= now_ms)
        start_census(watch, first);
    else if (first)
        uv_timer_start(&watch->census_timer, on_census_due, first->census_due_ms - now_ms, 0);
}

static void on_census_due(uv_timer_t *timer)
{
    arrange_census(timer->data);
}

/* --- Settings and targets --- */

static int compare_targets(const void *a, const void *b)
{
    const struct target *const *first = a, *const *second = b;
    return strcmp((*first)->client->key.name, (*second)->client->key.name);
}

/* Returns the targets to watch, sorted by address, each server once. The caller frees the array. */
static struct target **pick_targets(struct target *const *targets, size_t *count)
{
    struct target **picked = malloc((*count + 1) * sizeof(struct target *));
    size_t kept = 0;
    if (!picked) return NULL;
    for (size_t n = 0; n < *count; n++) {
        bool binary = access_protocol(targets[n]->profile->access) == PROTOCOL_BINARY;
        if (!binary) picked[kept++] = targets[n];
    }
    qsort(picked, kept, sizeof(*picked), compare_targets);
    *count = 0;
    for (size_t n = 0; n < kept; n++) {
        if (*count == 0 || compare_targets(&picked[*count - 1], &picked[n]) != 0)
            picked[(*count)++] = picked[n];
    }
    return picked;
}

/* Returns the server of the target if it can stay as it is. `at` walks through the sorted servers. */
static struct watched *find_kept(struct watch *watch, size_t *at, const struct target *target)
{
    int order = -1;
    while (*at < watch->count && (order = strcmp(watch->servers[*at]->address, target->client->key.name)) < 0)
        leave_server(watch->servers[(*at)++]);
    if (*at == watch->count || order > 0) return NULL;
    struct watched *watched = watch->servers[(*at)++];
    if (profile_compare(watched->profile, target->profile) == 0) return watched;
    leave_server(watched);
    return NULL;
}

/* Watches the targets from now on. Spreads the first windows of new servers over the time between windows. */
static void set_targets(struct watch *watch, struct target *const *targets, size_t count)
{
    struct watched **servers = calloc(count + 1, sizeof(struct watched *));
    size_t kept = 0, at = 0;
    uint64_t every_ms = watch->config.every_ns / 1000000;
    for (size_t n = 0; servers && n < count; n++) {
        struct watched *watched = find_kept(watch, &at, targets[n]);
        if (!watched) {
            watched = watched_new(watch, targets[n]);
            if (!watched) continue;
            if (watch->config.enabled)
                wait_for_window(watch, watched, uv_now(watch->loop) + every_ms * n / count);
            set_census_due(watch, watched, watch->census_config.every_ns / count * n);
        }
        servers[kept++] = watched;
    }
    while (at < watch->count) leave_server(watch->servers[at++]);
    free(watch->servers);
    watch->servers = servers;
    watch->count = kept;
}

void watch_set(struct watch *watch, const struct watch_config *config, const struct census_config *census,
               struct target *const *targets, size_t count)
{
    if (!watch_config_equals(&watch->config, config) || !census_config_equals(&watch->census_config, census))
        leave_all(watch);
    watch->config = *config;
    watch->census_config = *census;
    if (!config->enabled && !census->enabled) return;
    struct target **picked = pick_targets(targets, &count);
    if (picked) set_targets(watch, picked, count);
    free(picked);
    arrange(watch);
    arrange_census(watch);
}

const struct watch_config *watch_config(const struct watch *watch)
{
    return &watch->config;
}

size_t watch_count(const struct watch *watch)
{
    return watch->count;
}

struct watched *watch_server(const struct watch *watch, size_t n)
{
    return watch->servers[n];
}

static int compare_address(const void *key, const void *member)
{
    const struct watched *const *watched = member;
    return strcmp(key, (*watched)->address);
}

struct watched *watch_find(const struct watch *watch, const char *address)
{
    struct watched **found = watch->count ? bsearch(address, watch->servers, watch->count,
                                                    sizeof(*watch->servers), compare_address)
                                          : NULL;
    return found ? *found : NULL;
}

/* --- Life --- */

int watch_new(struct watch **result, uv_loop_t *loop, struct resolver *resolver, struct limiter *limiter)
{
    struct watch *watch = calloc(1, sizeof(*watch));
    if (!watch) return UV_ENOMEM;
    int status = uv_random(NULL, NULL, &watch->secret, sizeof(watch->secret), 0, NULL);
    if (status < 0) {
        free(watch);
        return status;
    }
    watch->loop = loop;
    watch->resolver = resolver;
    watch->limiter = limiter;
    watch_config_init(&watch->config);
    census_config_init(&watch->census_config);
    list_init(&watch->waiting);
    uv_timer_init(loop, &watch->timer);
    watch->timer.data = watch;
    closing_count(&watch->closing);
    uv_timer_init(loop, &watch->census_timer);
    watch->census_timer.data = watch;
    closing_count(&watch->closing);
    read_budget_init(&watch->budget, loop, TURN_BYTES);
    closing_count(&watch->closing);
    *result = watch;
    return 0;
}

static void on_closed(void *context)
{
    struct watch *watch = context;
    watch_close_fn on_close = watch->on_close;
    void *closed = watch->context;
    free(watch);
    on_close(closed);
}

static void on_budget_closed(struct read_budget *budget)
{
    closing_done(&container_of(budget, struct watch, budget)->closing);
}

void watch_close(struct watch *watch, watch_close_fn on_close, void *context)
{
    if (!watch) {
        on_close(context);
        return;
    }
    watch->on_close = on_close;
    watch->context = context;
    leave_all(watch);
    closing_close(&watch->closing, (uv_handle_t *) &watch->timer);
    closing_close(&watch->closing, (uv_handle_t *) &watch->census_timer);
    read_budget_close(&watch->budget, on_budget_closed);
    closing_begin(&watch->closing, on_closed, watch);
}
