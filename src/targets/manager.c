/*
 * At most two generations exist: the active one, and the next one while its providers are being asked. At
 * most one target set is being made, for one of the two.
 *
 *     manager_set -> [on_change until every provider has answered, or on_patience]
 *                 -> begin_making -> [on_work: make_on] -> install -> on_set
 *     on_change   -> catch_up -> begin_making -> [on_work: make_on] -> install
 *
 * What can go wrong:
 * - No memory for the next generation or its target set: it is dropped, and on_set gets the error.
 * - No memory for a new target set of the active generation: the old one stays, and on_pause tries again.
 * - A provider changes while a target set is being made: another target set is made afterwards. If the
 *   builder is reading the results of that provider, the builder starts again at once.
 * - Hundreds of providers change all the time: at most one target set is begun every PAUSE_MS. It includes
 *   all changes since the last one.
 *
 * While there is a target set to make or to free, on_work runs on each turn of the loop and does a bounded
 * piece of both. Otherwise on_work is stopped.
 */
#include "targets/manager.h"

#include "base/container.h"
#include "base/log.h"
#include "targets/target_set_builder.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* Targets made and freed per turn of the loop. Making a target takes about 4 us, freeing it takes less. */
#define TARGETS_A_TURN 256

/* Shortest time between the starts of two target sets. Making ten thousand targets takes about 20 ms. */
#define PAUSE_MS 200

/* How long a new generation waits for its providers. Targets that are found later are added later. */
#define PATIENCE_MS 10000

struct manager {
    struct manager_context context;
    struct providers providers;
    struct generation *current; /* active generation; before manager_set, made from the flags */
    struct generation *next;    /* pending generation, or NULL */
    unsigned long generations;  /* number of generations made so far */
    manager_set_fn on_set;      /* callback for `next`; NULL if there is none */
    void *set_context;
    bool ready;                    /* true if `current` comes from manager_set */
    struct target_set *target_set; /* active target set; owned reference */
    struct target_set *unused;     /* list of target sets to be freed; owned */
    struct generation *making;     /* generation whose target set the builder is making: `current`, `next`,
                                      or NULL if none */
    struct target_set_builder builder;
    bool stale;     /* a provider has changed since the last target set was begun, or that target set
                       failed */
    bool no_memory; /* the last target set failed, and this has been logged */
    struct manager_counts counts;
    uv_idle_t work;
    uv_timer_t patience, pause;
    unsigned parts; /* number of parts that are not closed: three handles, and the providers */
    bool closing;
    manager_close_fn on_close;
    void *close_context;
};

static void on_work(uv_idle_t *work);
static void on_pause(uv_timer_t *pause);
static void catch_up(struct manager *manager);

static void go_to_work(struct manager *manager)
{
    uv_idle_start(&manager->work, on_work);
}

/* --- Freeing unused target sets --- */

static void on_unused(struct target_set *target_set)
{
    struct manager *manager = target_set->owner;
    target_set->next = manager->unused;
    manager->unused = target_set;
    go_to_work(manager);
}

static void dismantle(struct manager *manager)
{
    struct target_set *target_set = manager->unused;
    if (!target_set) return;
    struct target_set *next = target_set->next;
    if (target_set_dismantle(target_set, TARGETS_A_TURN)) manager->unused = next;
}

/* --- Generations --- */

static void discard(struct generation *generation)
{
    if (!generation) return;
    generation_retire(generation);
    generation_release(generation);
}

static void drop_next(struct manager *manager)
{
    uv_timer_stop(&manager->patience);
    discard(manager->next);
    manager->next = NULL;
    manager->on_set = NULL;
    /* Changes of the current generation may have been postponed because of the next one. */
    manager->stale = true;
    catch_up(manager);
}

static void fail_next(struct manager *manager, int status)
{
    manager_set_fn on_set = manager->on_set;
    drop_next(manager);
    if (on_set) on_set(manager->set_context, status, uv_strerror(status));
}

/* Makes the next generation the active one. */
static void advance(struct manager *manager)
{
    uv_timer_stop(&manager->patience);
    discard(manager->current);
    manager->current = manager->next;
    manager->next = NULL;
    manager->ready = true;
}

/* --- Making a target set --- */

static void stop_making(struct manager *manager)
{
    if (!manager->making) return;
    manager->making = NULL;
    target_set_builder_deinit(&manager->builder);
}

/* Begins a target set of `generation`. Returns 0 or UV_ENOMEM; after UV_ENOMEM, nothing is being made. */
static int begin_making(struct manager *manager, struct generation *generation)
{
    struct target_set_builder_parts parts = {
        .fleet = manager->context.fleet,
        .config = generation->config,
        .found = generation_found(generation),
        .target_label = generation->settings.options.target_label,
        .shard = generation->settings.options.shard,
        .label_reserved = settings_rules(manager->context.flags).label_reserved,
    };
    stop_making(manager);
    manager->stale = false;
    uv_timer_start(&manager->pause, on_pause, PAUSE_MS, 0);
    int result = target_set_builder_init(&manager->builder, &parts, on_unused, manager);
    if (result < 0) {
        target_set_builder_deinit(&manager->builder);
        return result;
    }
    manager->making = generation;
    go_to_work(manager);
    return 0;
}

/* Drops a pending generation and reports the error. For the active one, tries again after a pause. */
static void on_making_failed(struct manager *manager, struct generation *generation, int status)
{
    if (generation == manager->next) {
        fail_next(manager, status);
        return;
    }
    if (!manager->no_memory)
        log_line(LOG_ERROR,
                 "cannot update the list of targets, the old list stays in use until a later try works",
                 LOG_FIELD("err", uv_strerror(status)));
    manager->no_memory = manager->stale = true;
    uv_timer_start(&manager->pause, on_pause, PAUSE_MS, 0);
}

static void make(struct manager *manager, struct generation *generation)
{
    int result = begin_making(manager, generation);
    if (result < 0) on_making_failed(manager, generation, result);
}

/* Begins a new target set if a provider of the active generation, or of the first one, has changed. */
static void catch_up(struct manager *manager)
{
    bool waits = manager->making || uv_is_active((uv_handle_t *) &manager->pause);
    bool was_set = manager->ready || manager->next;
    if (manager->stale && was_set && !waits && !manager->closing) make(manager, manager_generation(manager));
}

static void on_pause(uv_timer_t *pause)
{
    catch_up(container_of(pause, struct manager, pause));
}

/*
 * Returns true if the target set being made is temporary. The first generation waits for its providers, but
 * targets that need no provider are scraped at once.
 */
static bool is_for_the_meantime(const struct manager *manager, const struct generation *generation)
{
    return generation == manager->next && !manager->ready &&
           uv_is_active((const uv_handle_t *) &manager->patience) && !generation_is_answered(generation);
}

static const char duplicates_dropped[] =
    "duplicate targets are not scraped: their group lists the server twice, "
    "or another target has the same labels";
static const char refused_dropped[] =
    "targets are not scraped: discovery gave them a label that metrics use themselves, "
    "or labels that are too long; rename or shorten these labels";

static const char malformed_dropped[] =
    "targets are not scraped: discovery found addresses that are not valid; "
    "the other targets of that source are scraped";

static const char forbidden_dropped[] =
    "targets were dropped: an ElastiCache endpoint names addresses that the "
    "target policy forbids; allow them by scrape_policy or --scrape.allow";

/* Logs the number of targets left out, whenever the number has changed. */
static void log_dropped(const char *what, const struct target_set_builder_dropped *dropped, size_t before)
{
    char number[32];
    if (dropped->count == 0 || dropped->count == before) return;
    snprintf(number, sizeof(number), "%zu", dropped->count);
    log_line(LOG_WARN, what, LOG_FIELD("targets", number), LOG_FIELD("target", dropped->example));
}

/* Makes the finished target set active, together with its generation. */
static void install(struct manager *manager)
{
    struct target_set_builder *builder = &manager->builder;
    struct generation *generation = manager->making;
    struct target_set *old = manager->target_set;
    manager_set_fn on_set = NULL;
    log_dropped(duplicates_dropped, &builder->duplicates, manager->counts.duplicates);
    log_dropped(refused_dropped, &builder->refused, manager->counts.refused);
    log_dropped(malformed_dropped, &builder->malformed, manager->counts.malformed);
    log_dropped(forbidden_dropped, &builder->forbidden, manager->counts.forbidden);
    manager->counts = (struct manager_counts){builder->duplicates.count, builder->refused.count,
                                              builder->malformed.count, builder->forbidden.count};
    manager->target_set = target_set_builder_take(builder);
    manager->target_set->with_labels =
        generation_needs_labels(generation, manager->target_set->targets.count);
    manager->target_set->blind = manager->target_set->targets.count == 0 && generation_is_blind(generation);
    manager->no_memory = false;
    stop_making(manager);
    if (generation == manager->next && !is_for_the_meantime(manager, generation)) {
        advance(manager);
        on_set = manager->on_set;
        manager->on_set = NULL;
    }
    target_set_release(old);
    const struct manager_context *whom = &manager->context;
    if (whom->on_target_set) whom->on_target_set(whom->on_target_set_context, manager->target_set);
    catch_up(manager);
    if (on_set) on_set(manager->set_context, 0, "");
}

static void make_on(struct manager *manager)
{
    if (!manager->making) return;
    struct generation *generation = manager->making;
    int result = target_set_builder_step(&manager->builder, TARGETS_A_TURN);
    if (result == 0) return;
    if (result > 0) {
        install(manager);
        return;
    }
    stop_making(manager);
    on_making_failed(manager, generation, result);
}

/* --- Providers --- */

/* The next generation comes first, because it will replace the current one. */
static void on_change(void *context, const struct results *found)
{
    struct manager *manager = context;
    struct generation *next = manager->next;
    if (manager->closing) return;
    manager->stale = true;
    if (next && manager->making != next && generation_is_answered(next))
        make(manager, next);
    else if (manager->making && target_set_builder_reads(&manager->builder, found))
        make(manager, manager->making);
    else
        catch_up(manager);
}

static void on_patience(uv_timer_t *patience)
{
    struct manager *manager = container_of(patience, struct manager, patience);
    make(manager, manager->next);
}

/* --- Setting a configuration --- */

int manager_set(struct manager *manager, struct config *config, manager_set_fn on_set, void *context,
                struct buffer *error)
{
    assert(!manager->closing && !manager->next);
    int result = generation_new(&manager->next, config, manager->context.flags, &manager->providers, error);
    if (result < 0) return result;
    generation_inherit(manager->next, manager->current);
    manager->next->number = ++manager->generations;
    uv_timer_start(&manager->patience, on_patience, PATIENCE_MS, 0);
    if (!manager->ready || generation_is_answered(manager->next))
        result = begin_making(manager, manager->next);
    if (result < 0) {
        drop_next(manager);
        return result;
    }
    manager->on_set = on_set;
    manager->set_context = context;
    return 0;
}

void manager_forget(struct manager *manager)
{
    manager->on_set = NULL;
}

/* --- The active configuration and targets --- */

bool manager_is_ready(const struct manager *manager)
{
    return manager->ready;
}

struct target_set *manager_target_set(const struct manager *manager)
{
    return manager->target_set;
}

struct generation *manager_generation(const struct manager *manager)
{
    return manager->next && !manager->ready ? manager->next : manager->current;
}

struct manager_counts manager_counts(const struct manager *manager)
{
    return manager->counts;
}

/* --- Creation and closing --- */

/* Makes the first generation. It has no targets and no push, so it fails only for lack of memory. */
static int begin_with_flags(struct manager *manager)
{
    struct config_rules rules = settings_rules(manager->context.flags);
    struct config *config = calloc(1, sizeof(*config));
    struct buffer error;
    if (!config) return UV_ENOMEM;
    buffer_init(&error, 4096);
    rules.push = rules.remote_write = (struct push_config){0};
    int result = config_init(config, &rules);
    if (result < 0) {
        config_deinit(config);
        free(config);
    } else {
        result =
            generation_new(&manager->current, config, manager->context.flags, &manager->providers, &error);
    }
    buffer_deinit(&error);
    if (result == 0) manager->current->number = ++manager->generations;
    return result;
}

int manager_new(struct manager **result, const struct manager_context *context)
{
    struct manager *manager = calloc(1, sizeof(*manager));
    struct discovery_services services = {
        .loop = context->loop, .resolver = context->resolver, .limiter = fleet_limiter(context->fleet)};
    if (!manager) return UV_ENOMEM;
    manager->context = *context;
    providers_init(&manager->providers, &services, on_change, manager);
    manager->target_set = target_set_new(on_unused, manager);
    int status = manager->target_set ? begin_with_flags(manager) : UV_ENOMEM;
    if (status < 0) {
        free(manager->target_set);
        free(manager);
        return status;
    }
    uv_idle_init(context->loop, &manager->work);
    uv_timer_init(context->loop, &manager->patience);
    uv_timer_init(context->loop, &manager->pause);
    manager->parts = 4;
    *result = manager;
    return 0;
}

static void on_part_closed(struct manager *manager)
{
    if (--manager->parts > 0) return;
    manager_close_fn on_close = manager->on_close;
    void *context = manager->close_context;
    free(manager);
    on_close(context);
}

static void on_providers_closed(void *context)
{
    on_part_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    on_part_closed(handle->data);
}

static void close_handle(struct manager *manager, uv_handle_t *handle)
{
    handle->data = manager;
    uv_close(handle, on_handle_closed);
}

static void on_work(uv_idle_t *work)
{
    struct manager *manager = container_of(work, struct manager, work);
    make_on(manager);
    dismantle(manager);
    if (manager->making || manager->unused) return;
    uv_idle_stop(work);
    if (!manager->closing) return;
    providers_close(&manager->providers, on_providers_closed);
    close_handle(manager, (uv_handle_t *) &manager->work);
    close_handle(manager, (uv_handle_t *) &manager->patience);
    close_handle(manager, (uv_handle_t *) &manager->pause);
}

void manager_close(struct manager *manager, manager_close_fn on_close, void *context)
{
    assert(!manager->closing && manager->target_set->references == 1);
    manager->closing = true;
    manager->on_close = on_close;
    manager->close_context = context;
    stop_making(manager);
    drop_next(manager);
    discard(manager->current);
    manager->current = NULL;
    target_set_release(manager->target_set);
    manager->target_set = NULL;
    go_to_work(manager);
}
