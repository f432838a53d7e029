/*
 * Two generations at most: the one in force, and the next one while its sources are asked. One target_set at most
 * is being made, of either.
 *
 *     manager_set -> [on_change, until every source has answered, or on_patience] -> begin -> [on_work:
 * step] -> install -> [on_work: tell]
 *     on_change -> catch_up -> begin -> [on_work: step] -> install -> [on_change meanwhile: on_pause,
 * catch_up]
 *
 * What can go wrong: a generation cannot be made, or its target_set cannot (out of memory): what is in force
 * stays, and the one who set it is told. A source changes while a target_set is being made: another one is made
 * afterwards, and if it is the very source that is being read, what was made is thrown away and begun anew.
 * Hundreds of sources may change all the time, so that target_sets come at intervals, each with all that has
 * changed in between.
 *
 * on_work runs on each turn of the loop while there is something to make, to take apart or to tell, a bounded
 * piece of each, and is stopped otherwise.
 */
#include "targets/manager.h"

#include "base/container.h"
#include "base/log.h"
#include "targets/builder.h"
#include "targets/generation.h"
#include "targets/providers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* A target takes some four microseconds to make, and less to take apart. */
#define TARGETS_A_TURN 256

/* From one target_set to the next: ten thousand targets take some 20 ms. */
#define PAUSE_MS 200

/* A source that has not answered by then comes later. */
#define PATIENCE_MS 10000

/* One who has called manager_set. */
struct setter {
    struct link link; /* of `told`, once it is known what has become of it */
    manager_set_fn on_set;
    void *context;
    int status;
    char error[512];
};

struct manager {
    struct manager_context context;
    struct providers providers;
    struct generation *current, *next; /* owned; current is NULL before the first */
    struct setter *setter;             /* of the next one; owned */
    struct list told;                  /* setters, to be told */
    struct terms *flags_alone;         /* in force before the first generation; held */
    struct target_set *target_set;     /* in force */
    struct target_set *unused;         /* to be taken apart; owned */
    struct generation *making;         /* whose target_set is being made: current or next; NULL for none */
    struct target_set_builder builder;
    bool stale; /* a source has changed since the last target_set was begun */
    struct manager_counts counts;
    uv_idle_t work;
    uv_timer_t patience, pause;
    unsigned parts; /* handles, and the providers, that are not closed */
    bool closing;
    manager_close_fn on_close;
    void *close_context;
};

static void on_work(uv_idle_t *work);
static void catch_up(struct manager *manager);

static void go_to_work(struct manager *manager)
{
    uv_idle_start(&manager->work, on_work);
}

/* --- Rosters that nobody holds --- */

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

/* --- Who has set a configuration --- */

/* Told from the loop, since the reason may lie in what the setter itself has just called. */
static void settle(struct manager *manager, struct setter *setter, int status, const char *error)
{
    setter->status = status;
    snprintf(setter->error, sizeof(setter->error), "%s", error);
    list_append(&manager->told, &setter->link);
    go_to_work(manager);
}

static void tell(struct manager *manager)
{
    for (struct link *link; (link = list_pop(&manager->told));) {
        struct setter *setter = container_of(link, struct setter, link);
        setter->on_set(setter->context, setter->status, setter->error);
        free(setter);
    }
}

/* The next generation will not come. */
static void drop_next(struct manager *manager, int status, const char *error)
{
    if (!manager->next) return;
    uv_timer_stop(&manager->patience);
    generation_free(manager->next);
    manager->next = NULL;
    settle(manager, manager->setter, status, error);
    manager->setter = NULL;
    /* It may have had to wait for the next one. */
    manager->stale = true;
    catch_up(manager);
}

/* --- Making a target_set --- */

static void stop_making(struct manager *manager)
{
    if (!manager->making) return;
    manager->making = NULL;
    target_set_builder_deinit(&manager->builder);
}

static void on_pause(uv_timer_t *pause);

static void begin(struct manager *manager, struct generation *generation)
{
    struct target_set_builder_parts parts = {
        .fleet = manager->context.fleet,
        .config = generation->terms->config,
        .found = generation_found(generation),
        .target_label = generation->terms->settings.options.target_label,
        .shard = generation->terms->settings.options.shard,
        .label_reserved = settings_rules(manager->context.flags).label_reserved,
    };
    stop_making(manager);
    manager->stale = false;
    uv_timer_start(&manager->pause, on_pause, PAUSE_MS, 0);
    if (target_set_builder_init(&manager->builder, &parts, on_unused, manager) == 0) {
        manager->making = generation;
        go_to_work(manager);
        return;
    }
    target_set_builder_deinit(&manager->builder);
    log_line(LOG_ERROR, "no memory for the list of targets");
    if (generation == manager->next) drop_next(manager, UV_ENOMEM, "out of memory");
}

/* Makes what is in force, or will be the first to be, as its sources are now, when that is due. */
static void catch_up(struct manager *manager)
{
    struct generation *generation = manager->current ? manager->current : manager->next;
    bool waits = manager->making || uv_is_active((uv_handle_t *) &manager->pause);
    if (manager->stale && generation && !waits && !manager->closing) begin(manager, generation);
}

static void on_pause(uv_timer_t *pause)
{
    catch_up(container_of(pause, struct manager, pause));
}

static void log_left_out(const char *what, size_t count, size_t before, const char *example)
{
    char number[32];
    if (count == 0 || count == before) return;
    snprintf(number, sizeof(number), "%zu", count);
    log_line(LOG_WARN, what, LOG_FIELD("targets", number), LOG_FIELD("target", example));
}

static void install_generation(struct manager *manager)
{
    struct generation *old = manager->current;
    uv_timer_stop(&manager->patience);
    manager->current = manager->next;
    manager->next = NULL;
    generation_free(old);
    settle(manager, manager->setter, 0, "");
    manager->setter = NULL;
}

/*
 * The first generation waits for its sources; the targets that are known without them need not. What is made
 * before all have answered, or had their time, is only a target_set for the meantime.
 */
static bool is_for_the_meantime(const struct manager *manager, const struct generation *generation)
{
    return generation == manager->next && !manager->current &&
           uv_is_active((const uv_handle_t *) &manager->patience) && !generation_is_answered(generation);
}

/* The target_set is whole: swaps it in, and the generation that it belongs to. */
static void install(struct manager *manager)
{
    struct target_set_builder *builder = &manager->builder;
    struct generation *generation = manager->making;
    struct target_set *old = manager->target_set;
    log_left_out("targets are named twice, they are scraped once", builder->duplicates,
                 manager->counts.duplicates, builder->example);
    log_left_out("targets have labels that metrics use, they are not scraped", builder->refused,
                 manager->counts.refused, builder->example);
    manager->counts = (struct manager_counts){builder->duplicates, builder->refused};
    manager->target_set = target_set_builder_take(builder);
    manager->target_set->with_labels =
        generation_needs_labels(generation, manager->target_set->targets.count);
    manager->target_set->blind = manager->target_set->targets.count == 0 && generation_is_blind(generation);
    stop_making(manager);
    if (generation == manager->next && !is_for_the_meantime(manager, generation)) install_generation(manager);
    target_set_release(old);
    const struct manager_context *whom = &manager->context;
    if (whom->on_target_set) whom->on_target_set(whom->on_target_set_context, manager->target_set);
    catch_up(manager);
}

static void make(struct manager *manager)
{
    if (!manager->making) return;
    int result = target_set_builder_step(&manager->builder, TARGETS_A_TURN);
    if (result == 0) return;
    if (result > 0) {
        install(manager);
        return;
    }
    struct generation *generation = manager->making;
    stop_making(manager);
    log_line(LOG_ERROR, "no memory for the list of targets");
    if (generation == manager->next) drop_next(manager, UV_ENOMEM, "out of memory");
}

/* --- Sources --- */

/* The next generation first: when it is in force, the current one does not matter. */
static void on_change(void *context, const struct results *found)
{
    struct manager *manager = context;
    struct generation *next = manager->next;
    if (manager->closing) return;
    manager->stale = true;
    if (next && manager->making != next && generation_is_answered(next))
        begin(manager, next);
    else if (manager->making && target_set_builder_reads(&manager->builder, found))
        begin(manager, manager->making);
    else
        catch_up(manager);
}

static void on_patience(uv_timer_t *patience)
{
    struct manager *manager = container_of(patience, struct manager, patience);
    begin(manager, manager->next);
}

/* --- Setting --- */

static int make_next(struct manager *manager, struct setter *setter, struct config *config)
{
    struct buffer error;
    buffer_init(&error, sizeof(setter->error));
    int result = generation_new(&manager->next, config, manager->context.flags, &manager->providers, &error);
    buffer_append_char(&error, '\0');
    if (result < 0) {
        bool told = !error.failed && error.data[0];
        settle(manager, setter, result, told ? error.data : uv_strerror(result));
    }
    buffer_deinit(&error);
    return result;
}

int manager_set(struct manager *manager, struct config *config, manager_set_fn on_set, void *context)
{
    struct setter *setter = calloc(1, sizeof(*setter));
    assert(!manager->closing);
    if (!setter) {
        config_deinit(config);
        free(config);
        return UV_ENOMEM;
    }
    setter->on_set = on_set;
    setter->context = context;
    link_init(&setter->link);
    if (manager->making == manager->next) stop_making(manager);
    drop_next(manager, UV_ECANCELED, "another configuration was set");
    if (make_next(manager, setter, config) < 0) return 0;
    manager->setter = setter;
    uv_timer_start(&manager->patience, on_patience, PATIENCE_MS, 0);
    if (!manager->current || generation_is_answered(manager->next)) begin(manager, manager->next);
    return 0;
}

/* --- What is in force --- */

bool manager_is_ready(const struct manager *manager)
{
    return manager->current;
}

struct target_set *manager_target_set(const struct manager *manager)
{
    return manager->target_set;
}

/* The first configuration holds from when it is known: what it forbids must not be allowed while it waits. */
struct terms *manager_terms(const struct manager *manager)
{
    const struct generation *generation = manager->current ? manager->current : manager->next;
    return generation ? generation->terms : manager->flags_alone;
}

const struct settings *manager_settings(const struct manager *manager)
{
    return &manager_terms(manager)->settings;
}

const struct config *manager_config(const struct manager *manager)
{
    return terms_file(manager_terms(manager));
}

bool manager_module(const struct manager *manager, struct slice name, struct manager_module *module)
{
    const struct config_module *found = terms_module(manager_terms(manager), name);
    if (!found) return false;
    *module = (struct manager_module){found->collectors, config_timeout_ms(found)};
    return true;
}

struct policy *manager_policy(const struct manager *manager)
{
    return terms_policy(manager_terms(manager));
}

size_t manager_source_count(const struct manager *manager)
{
    return manager->current ? manager->current->provider_count : 0;
}

struct manager_source manager_source(const struct manager *manager, size_t n)
{
    const struct generation *current = manager->current;
    return (struct manager_source){generation_group(current, n)->name,
                                   discovery_state(current->providers[n]->discovery)};
}

struct manager_counts manager_counts(const struct manager *manager)
{
    return manager->counts;
}

/* --- Life --- */

int manager_new(struct manager **result, const struct manager_context *context)
{
    struct manager *manager = calloc(1, sizeof(*manager));
    struct discovery_services services = {
        .loop = context->loop, .resolver = context->resolver, .limiter = fleet_limiter(context->fleet)};
    if (!manager) return UV_ENOMEM;
    manager->context = *context;
    manager->target_set = target_set_new(on_unused, manager);
    struct buffer error;
    buffer_init(&error, 0); /* the flags have been checked by themselves */
    int status = terms_new(&manager->flags_alone, NULL, context->flags, &error);
    if (!manager->target_set || status < 0) {
        terms_release(manager->flags_alone);
        free(manager->target_set);
        free(manager);
        return UV_ENOMEM;
    }
    providers_init(&manager->providers, &services, on_change, manager);
    list_init(&manager->told);
    uv_idle_init(context->loop, &manager->work);
    uv_timer_init(context->loop, &manager->patience);
    uv_timer_init(context->loop, &manager->pause);
    manager->parts = 4;
    *result = manager;
    return 0;
}

static void part_closed(struct manager *manager)
{
    if (--manager->parts > 0) return;
    manager_close_fn on_close = manager->on_close;
    void *context = manager->close_context;
    terms_release(manager->flags_alone);
    free(manager);
    on_close(context);
}

static void on_feeds_closed(void *context)
{
    part_closed(context);
}

static void on_handle_closed(uv_handle_t *handle)
{
    part_closed(handle->data);
}

static void close_handle(struct manager *manager, uv_handle_t *handle)
{
    handle->data = manager;
    uv_close(handle, on_handle_closed);
}

static void on_work(uv_idle_t *work)
{
    struct manager *manager = container_of(work, struct manager, work);
    tell(manager);
    make(manager);
    dismantle(manager);
    if (manager->making || manager->unused || !list_is_empty(&manager->told)) return;
    uv_idle_stop(work);
    if (!manager->closing) return;
    providers_close(&manager->providers, on_feeds_closed);
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
    drop_next(manager, UV_ECANCELED, "the exporter is stopping");
    generation_free(manager->current);
    manager->current = NULL;
    target_set_release(manager->target_set);
    manager->target_set = NULL;
    go_to_work(manager);
}
