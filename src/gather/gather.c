/*
 * gather_start -> on_fan_out_done -> on_ready -> fill, as often as the sink takes another piece -> release
 *
 * The snapshots live until the last byte is written, since each piece is encoded when it is asked for.
 */
#include "gather/gather.h"

#include "base/container.h"
#include "collectors/build.h"
#include "collectors/fleet.h"
#include "collectors/process.h"
#include "collectors/targets.h"
#include "memcached/fan_out.h"
#include "metrics/collector.h"
#include "metrics/registry.h"

#include <stdlib.h>

struct gather {
    struct gather_plan plan;
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

void gather_plan_clear(struct gather_plan *plan)
{
    target_list_clear(&plan->own);
    target_set_release(plan->target_set);
    plan->target_set = NULL;
    buffer_deinit(&plan->names);
}

static void gather_free(struct gather *gather)
{
    gather_fn on_end = gather->plan.on_end;
    void *context = gather->plan.context;
    if (gather->walking) fleet_walk_deinit(&gather->fleet);
    exposition_deinit(&gather->exposition);
    fan_out_free(gather->fan_out);
    gather_plan_clear(&gather->plan);
    free(gather);
    if (on_end) on_end(context);
}

static bool fill(struct source *source, struct buffer *out, size_t want)
{
    struct gather *gather = container_of(source, struct gather, source);
    if (!gather->walking) {
        out->failed = true; /* there was no memory for the walk */
        return false;
    }
    return exposition_fill(&gather->exposition, out, want);
}

static void release(struct source *source)
{
    gather_free(container_of(source, struct gather, source));
}

const struct collector *own_collector(enum own_collector own)
{
    static const struct collector *const collectors[] = {
        [OWN_MEMCACHED_PROCESS] = &memcached_process_collector,
        [OWN_BUILD] = &build_collector,
        [OWN_TELEMETRY] = &telemetry_collector,
        [OWN_TARGETS] = &targets_collector,
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
static struct walk *make_walk(struct gather *gather, enum own_collector own)
{
    const char *pid_file = gather->plan.pid_file;
    struct telemetry *telemetry = gather->plan.telemetry;
    switch (own) {
    case OWN_MEMCACHED_PROCESS:
        if (!pid_file || !pid_file[0]) return NULL;
        process_walk_pid_file(&gather->memcached_process, pid_file);
        return &gather->memcached_process.walk;
    case OWN_BUILD:
        build_walk(&gather->build);
        return &gather->build;
    case OWN_TELEMETRY:
        telemetry_walk_init(&gather->telemetry, telemetry);
        return &gather->telemetry.walk;
    case OWN_TARGETS:
        if (!telemetry->manager) return NULL;
        manager_walk_init(&gather->manager, telemetry->manager, telemetry->reload);
        return &gather->manager.walk;
    case OWN_PROCESS:
        process_walk_self(&gather->process);
        return &gather->process.walk;
    case OWN_COUNT:
        break;
    }
    return NULL;
}

static void add_walks(struct gather *gather)
{
    const struct gather_plan *plan = &gather->plan;
    exposition_init(&gather->exposition, plan->format, buffer_slice(&plan->names));
    exposition_add(&gather->exposition, &gather->fleet.walk);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        struct walk *walk = plan->own_collectors & OWN_BIT(own) ? make_walk(gather, own) : NULL;
        if (walk) exposition_add(&gather->exposition, walk);
    }
}

static void tell_telemetry(const struct gather *gather)
{
    struct telemetry *telemetry = gather->plan.telemetry;
    uint64_t duration_ns = uv_hrtime() - gather->started_ns;
    telemetry_observe_scrape(telemetry, duration_ns, gather_up(gather), gather_targets(gather));
}

static void on_fan_out_done(void *context)
{
    struct gather *gather = context;
    const struct gather_plan *plan = &gather->plan;
    gather->walking =
        fleet_walk_init(&gather->fleet, gather->fan_out, plan->commands, plan->with_labels) == 0;
    tell_telemetry(gather);
    add_walks(gather);
    plan->on_ready(plan->context);
}

/* Starts the fan-out over those of the targets that the plan's shard owns. */
static int start_fan_out(struct gather *gather)
{
    const struct gather_plan *plan = &gather->plan;
    const struct target_list *targets = plan->target_set ? &plan->target_set->targets : &plan->own;
    struct target **owned = calloc(targets->count + 1, sizeof(struct target *));
    size_t count = 0;
    if (!owned) return UV_ENOMEM;
    for (size_t n = 0; n < targets->count; n++) {
        if (shard_owns(plan->shard, slice_of(targets->items[n]->client->key.name)))
            owned[count++] = targets->items[n];
    }
    int status = fan_out_start(&gather->fan_out, plan->fleet, owned, count, plan->commands, plan->timeout_ms,
                               on_fan_out_done, gather);
    free(owned);
    return status;
}

int gather_start(struct gather **result, struct gather_plan *plan)
{
    struct gather *gather = calloc(1, sizeof(*gather));
    int status = UV_ENOMEM;
    if (gather) {
        gather->plan = *plan;
        gather->started_ns = uv_hrtime();
        gather->source = (struct source){.fill = fill, .release = release};
        status = start_fan_out(gather);
    }
    if (status == 0) {
        *result = gather;
        return 0;
    }
    gather_plan_clear(plan);
    free(gather);
    return status;
}

struct source *gather_source(struct gather *gather)
{
    return &gather->source;
}

size_t gather_up(const struct gather *gather)
{
    size_t up = 0;
    for (size_t n = 0; n < fan_out_count(gather->fan_out); n++) {
        const struct snapshot *snapshot = fan_out_snapshot(gather->fan_out, n);
        up += snapshot && snapshot->state == TARGET_UP;
    }
    return up;
}

size_t gather_targets(const struct gather *gather)
{
    return fan_out_count(gather->fan_out);
}

const struct snapshot *gather_only(const struct gather *gather)
{
    return fan_out_count(gather->fan_out) == 1 ? fan_out_snapshot(gather->fan_out, 0) : NULL;
}

void gather_cancel(struct gather *gather)
{
    gather_free(gather);
}

int gather_check(struct buffer *error)
{
    struct registry registry;
    registry_init(&registry);
    int result = registry_add(&registry, fleet_collector(), error);
    for (enum own_collector own = 0; own < OWN_COUNT && result == 0; own++)
        result = registry_add(&registry, own_collector(own), error);
    return result;
}
