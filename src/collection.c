/*
 * collection_start -> on_fan_out_done -> on_ready -> fill, as often as the sink takes another piece -> release
 *
 * The snapshots live until the last byte is written, since each piece is encoded when it is asked for.
 */
#include "collection.h"

#include "base/container.h"
#include "collectors/build.h"
#include "collectors/fleet.h"
#include "collectors/targets.h"
#include "memcached/fan_out.h"
#include "metrics/collector.h"
#include "metrics/process.h"
#include "metrics/registry.h"

#include <stdlib.h>

struct collection {
    struct collection_plan plan;
    struct fan_out *fan_out;
    struct source source;
    struct exposition exposition;
    struct fleet_walk fleet;
    struct process_walk process, memcached_process;
    struct telemetry_walk telemetry;
    struct manager_walk manager;
    struct walk build;
    uint64_t started_ns;
    bool walking; /* the fleet's walk is initialised */
};

void collection_plan_clear(struct collection_plan *plan)
{
    target_list_clear(&plan->own);
    target_set_release(plan->target_set);
    plan->target_set = NULL;
    buffer_deinit(&plan->names);
}

static void collection_free(struct collection *collection)
{
    collection_fn on_end = collection->plan.on_end;
    void *context = collection->plan.context;
    if (collection->walking) fleet_walk_deinit(&collection->fleet);
    exposition_deinit(&collection->exposition);
    fan_out_free(collection->fan_out);
    collection_plan_clear(&collection->plan);
    free(collection);
    if (on_end) on_end(context);
}

static bool fill(struct source *source, struct buffer *out, size_t want)
{
    struct collection *collection = container_of(source, struct collection, source);
    if (!collection->walking) {
        out->failed = true; /* there was no memory for the walk */
        return false;
    }
    return exposition_fill(&collection->exposition, out, want);
}

static void release(struct source *source)
{
    collection_free(container_of(source, struct collection, source));
}

const struct collector *own_collector(enum own_collector own)
{
    static const struct collector *const collectors[] = {
        [OWN_MEMCACHED_PROCESS] = &memcached_process_collector,
        [OWN_BUILD] = &build_collector,
        [OWN_TELEMETRY] = &telemetry_collector,
        [OWN_TARGETS] = &manager_collector,
        [OWN_PROCESS] = &process_collector,
    };
    return collectors[own];
}

unsigned own_collectors(const struct options *options)
{
    unsigned set = OWN_BIT(OWN_MEMCACHED_PROCESS);
    if (options->disable_exporter_metrics) return set;
    if (options->collect_build) set |= OWN_BIT(OWN_BUILD);
    if (options->collect_telemetry) set |= OWN_BIT(OWN_TELEMETRY) | OWN_BIT(OWN_TARGETS);
    if (options->collect_process) set |= OWN_BIT(OWN_PROCESS);
    return set;
}

/* Makes the walk of one of them; NULL when it has nothing to say. */
static struct walk *make_walk(struct collection *collection, enum own_collector own)
{
    const char *pid_file = collection->plan.pid_file;
    struct telemetry *telemetry = collection->plan.telemetry;
    switch (own) {
    case OWN_MEMCACHED_PROCESS:
        if (!pid_file || !pid_file[0]) return NULL;
        process_walk_pid_file(&collection->memcached_process, pid_file);
        return &collection->memcached_process.walk;
    case OWN_BUILD:
        build_walk(&collection->build);
        return &collection->build;
    case OWN_TELEMETRY:
        telemetry_walk_init(&collection->telemetry, telemetry);
        return &collection->telemetry.walk;
    case OWN_TARGETS:
        if (!telemetry->manager) return NULL;
        manager_walk_init(&collection->manager, telemetry->manager, telemetry->reload);
        return &collection->manager.walk;
    case OWN_PROCESS:
        process_walk_self(&collection->process);
        return &collection->process.walk;
    case OWN_COUNT:
        break;
    }
    return NULL;
}

static void add_walks(struct collection *collection)
{
    const struct collection_plan *plan = &collection->plan;
    exposition_init(&collection->exposition, plan->format, buffer_slice(&plan->names));
    exposition_add(&collection->exposition, &collection->fleet.walk);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        struct walk *walk = plan->own_collectors & OWN_BIT(own) ? make_walk(collection, own) : NULL;
        if (walk) exposition_add(&collection->exposition, walk);
    }
}

static void tell_telemetry(const struct collection *collection)
{
    struct telemetry *telemetry = collection->plan.telemetry;
    uint64_t duration_ns = uv_hrtime() - collection->started_ns;
    telemetry_observe_scrape(telemetry, duration_ns, collection_up(collection),
                             collection_targets(collection));
}

static void on_fan_out_done(void *context)
{
    struct collection *collection = context;
    const struct collection_plan *plan = &collection->plan;
    collection->walking =
        fleet_walk_init(&collection->fleet, collection->fan_out, plan->commands, plan->with_labels) == 0;
    tell_telemetry(collection);
    add_walks(collection);
    plan->on_ready(plan->context);
}

/* Starts the fan-out over those of the targets that the plan's shard owns. */
static int start_fan_out(struct collection *collection)
{
    const struct collection_plan *plan = &collection->plan;
    const struct target_list *targets = plan->target_set ? &plan->target_set->targets : &plan->own;
    struct target **owned = calloc(targets->count + 1, sizeof(struct target *));
    size_t count = 0;
    if (!owned) return UV_ENOMEM;
    for (size_t n = 0; n < targets->count; n++) {
        if (shard_owns(plan->shard, slice_of(targets->items[n]->client->name)))
            owned[count++] = targets->items[n];
    }
    int status = fan_out_start(&collection->fan_out, plan->fleet, owned, count, plan->commands,
                               plan->timeout_ms, on_fan_out_done, collection);
    free(owned);
    return status;
}

int collection_start(struct collection **result, struct collection_plan *plan)
{
    struct collection *collection = calloc(1, sizeof(*collection));
    int status = UV_ENOMEM;
    if (collection) {
        collection->plan = *plan;
        collection->started_ns = uv_hrtime();
        collection->source = (struct source){.fill = fill, .release = release};
        status = start_fan_out(collection);
    }
    if (status == 0) {
        *result = collection;
        return 0;
    }
    collection_plan_clear(plan);
    free(collection);
    return status;
}

struct source *collection_source(struct collection *collection)
{
    return &collection->source;
}

size_t collection_up(const struct collection *collection)
{
    size_t up = 0;
    for (size_t n = 0; n < fan_out_count(collection->fan_out); n++) {
        const struct snapshot *snapshot = fan_out_snapshot(collection->fan_out, n);
        up += snapshot && snapshot->state == TARGET_UP;
    }
    return up;
}

size_t collection_targets(const struct collection *collection)
{
    return fan_out_count(collection->fan_out);
}

const struct snapshot *collection_only(const struct collection *collection)
{
    return fan_out_count(collection->fan_out) == 1 ? fan_out_snapshot(collection->fan_out, 0) : NULL;
}

void collection_cancel(struct collection *collection)
{
    collection_free(collection);
}

int collection_check(struct buffer *error)
{
    struct registry registry;
    registry_init(&registry);
    int result = registry_add(&registry, fleet_collector(), error);
    for (enum own_collector own = 0; own < OWN_COUNT && result == 0; own++)
        result = registry_add(&registry, own_collector(own), error);
    return result;
}
