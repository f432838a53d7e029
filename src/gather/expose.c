#include "gather/expose.h"

#include "base/container.h"
#include "collectors/build.h"
#include "collectors/fleet.h"
#include "collectors/process.h"
#include "collectors/targets.h"
#include "collectors/watched.h"
#include "metrics/registry.h"

#include <stdlib.h>

struct exposure {
    struct producer producer;
    struct gather *gather;          /* owned reference */
    struct scrape_request *request; /* owned reference */
    struct exposition exposition;
    struct answer_took took;
    uint64_t started_ns;     /* time when the first byte was asked for; 0 before */
    struct fleet_walk fleet; /* used only if the gather asked at least one server */
    struct process_walk process, memcached_process;
    struct telemetry_walk telemetry;
    struct watched_walk watched; /* used only for configured targets */
    struct manager_walk manager;
    struct walk build;
    gather_fn on_end;
    void *context;
};

/* --- The exporter's own collectors --- */

const struct collector *own_collector(enum own_collector own)
{
    static const struct collector *const collectors[] = {
        [OWN_MEMCACHED_PROCESS] = &memcached_process_collector,
        [OWN_WATCH] = &watched_collector,
        [OWN_BUILD] = &build_collector,
        [OWN_TELEMETRY] = &telemetry_collector,
        [OWN_TARGETS] = &targets_collector,
        [OWN_PROCESS] = &process_collector,
    };
    return collectors[own];
}

unsigned own_collectors(const struct options *options)
{
    unsigned set = OWN_BIT(OWN_MEMCACHED_PROCESS) | OWN_BIT(OWN_WATCH);
    if (options->disable_exporter_metrics) return set;
    if (options->collect_build) set |= OWN_BIT(OWN_BUILD);
    if (options->collect_telemetry) set |= OWN_BIT(OWN_TELEMETRY) | OWN_BIT(OWN_TARGETS);
    if (options->collect_process) set |= OWN_BIT(OWN_PROCESS);
    return set;
}

/* Starts the walk of an own collector. Returns NULL if it has no samples. */
static struct walk *start_own_walk(struct exposure *exposure, enum own_collector own)
{
    const char *pid_file = exposure->request->pid_file;
    struct telemetry *telemetry = exposure->gather->telemetry;
    switch (own) {
    case OWN_MEMCACHED_PROCESS:
        if (!pid_file || !pid_file[0]) return NULL;
        process_walk_pid_file(&exposure->memcached_process, pid_file);
        return &exposure->memcached_process.walk;
    case OWN_WATCH:
        return exposure->watched.servers ? &exposure->watched.walk : NULL;
    case OWN_BUILD:
        build_walk(&exposure->build);
        return &exposure->build;
    case OWN_TELEMETRY:
        telemetry_walk_init(&exposure->telemetry, telemetry);
        return &exposure->telemetry.walk;
    case OWN_TARGETS:
        if (!telemetry->manager) return NULL;
        manager_walk_init(&exposure->manager, telemetry->manager, telemetry->reload);
        return &exposure->manager.walk;
    case OWN_PROCESS:
        process_walk_self(&exposure->process);
        return &exposure->process.walk;
    case OWN_COUNT:
        break;
    }
    return NULL;
}

int expose_check(struct buffer *error)
{
    struct registry registry;
    registry_init(&registry);
    int result = registry_add(&registry, fleet_collector(), error);
    for (enum own_collector own = 0; own < OWN_COUNT && result == 0; own++)
        result = registry_add(&registry, own_collector(own), error);
    return result;
}

/* --- The exposition --- */

static void exposure_free(struct exposure *exposure)
{
    fleet_walk_deinit(&exposure->fleet);
    watched_walk_deinit(&exposure->watched);
    exposition_deinit(&exposure->exposition);
    gather_release(exposure->gather);
    scrape_request_release(exposure->request);
    free(exposure);
}

static void exposure_release(struct producer *producer)
{
    struct exposure *exposure = container_of(producer, struct exposure, producer);
    gather_fn on_end = exposure->on_end;
    void *context = exposure->context;
    if (exposure->exposition.finished) {
        exposure->took.total_ns = uv_hrtime() - exposure->started_ns;
        answer_pace_observe(&exposure->gather->telemetry->pace, &exposure->took);
    }
    exposure_free(exposure);
    if (on_end) on_end(context);
}

/* Limits the walk so that the answer meets its deadline, and counts the record bytes that remain. */
static int limit_fleet(struct exposure *exposure)
{
    const struct scrape_request *request = exposure->request;
    const struct answer_pace *pace = &exposure->gather->telemetry->pace;
    struct fleet_walk *fleet = &exposure->fleet;
    if (request->deadline_ns) {
        uint64_t now_ns = uv_hrtime();
        uint64_t left_ns = request->deadline_ns > now_ns ? request->deadline_ns - now_ns : 0;
        size_t bytes = answer_pace_bytes(pace, request->packed, left_ns);
        if (fleet_walk_limit(fleet, bytes, request->deadline_ns) < 0) return UV_ENOMEM;
    }
    exposure->took.packed = request->packed;
    for (size_t n = 0; n < fleet->heard; n++)
        exposure->took.bytes += (size_t) (fleet->cursors[n].end - fleet->cursors[n].at);
    return 0;
}

/*
 * Starts the walks when the first byte is asked for: that goes over all targets, and scrapes that have
 * shared the last poll are told in one turn of the loop. 0 or UV_ENOMEM.
 */
static int exposure_begin(struct exposure *exposure)
{
    const struct scrape_request *request = exposure->request;
    const struct fan_out *fan_out = exposure->gather->fan_out;
    const struct watch *watch = exposure->gather->telemetry->watch;
    exposure->started_ns = uv_hrtime();
    if (fan_out) {
        if (fleet_walk_init(&exposure->fleet, fan_out, request->commands, request->with_labels) < 0 ||
            limit_fleet(exposure) < 0)
            return UV_ENOMEM;
        exposition_add(&exposure->exposition, &exposure->fleet.walk);
    }
    bool watches = (request->own_collectors & OWN_BIT(OWN_WATCH)) && watch && watch_count(watch) > 0;
    if (watches && fan_out && request->target_set &&
        watched_walk_init(&exposure->watched, watch, fan_out, request->with_labels) < 0)
        return UV_ENOMEM;
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        struct walk *walk = request->own_collectors & OWN_BIT(own) ? start_own_walk(exposure, own) : NULL;
        if (walk) exposition_add(&exposure->exposition, walk);
    }
    return 0;
}

static bool exposure_fill(struct producer *producer, struct buffer *out, size_t want)
{
    struct exposure *exposure = container_of(producer, struct exposure, producer);
    uint64_t before_ns = uv_hrtime();
    if (!exposure->started_ns && exposure_begin(exposure) < 0) {
        out->failed = true;
        return false;
    }
    bool more = exposition_fill(&exposure->exposition, out, want);
    exposure->took.fill_ns += uv_hrtime() - before_ns;
    return more;
}

struct producer *expose(struct gather *gather, struct scrape_request *request, gather_fn on_end,
                        void *context)
{
    struct exposure *exposure = calloc(1, sizeof(*exposure));
    if (!exposure) return NULL;
    exposure->producer = (struct producer){.fill = exposure_fill, .release = exposure_release};
    exposure->gather = gather_hold(gather);
    exposure->request = scrape_request_hold(request);
    exposure->on_end = on_end;
    exposure->context = context;
    exposition_init(&exposure->exposition, request->format, buffer_slice(&request->names));
    exposure->exposition.encoder.created_lines = request->created;
    return &exposure->producer;
}
