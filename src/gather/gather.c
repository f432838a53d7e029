#include "gather/gather.h"

#include <stdlib.h>

static struct gather *gather_new(struct scrape_request *request, struct telemetry *telemetry)
{
    struct gather *gather = calloc(1, sizeof(*gather));
    if (!gather) return NULL;
    gather->references = 1;
    gather->request = scrape_request_hold(request);
    gather->telemetry = telemetry;
    gather->started_ns = uv_hrtime();
    return gather;
}

static void on_fan_out_done(void *context)
{
    struct gather *gather = context;
    size_t bytes = 0;
    for (size_t n = 0; n < gather->targets; n++) {
        const struct snapshot *snapshot = fan_out_snapshot(gather->fan_out, n);
        gather->up += snapshot && snapshot->state == TARGET_UP;
        bytes += snapshot ? snapshot->records_len : 0;
    }
    answer_pace_observe_gather(&gather->telemetry->pace, bytes, gather->targets);
    telemetry_observe_scrape(gather->telemetry, uv_hrtime() - gather->started_ns, gather->up,
                             gather->targets);
    gather->on_done(gather->context);
}

int gather_start(struct gather **result, struct scrape_request *request, struct fleet *fleet,
                 struct telemetry *telemetry, gather_fn on_done, void *context)
{
    const struct target_list *targets = scrape_request_targets(request);
    struct gather *gather = gather_new(request, telemetry);
    struct target **owned = calloc(targets->count + 1, sizeof(struct target *)); /* targets of this shard */
    int status = gather && owned ? 0 : UV_ENOMEM;
    if (status == 0) {
        for (size_t n = 0; n < targets->count; n++) {
            if (shard_owns(request->shard, slice_of(targets->items[n]->client->key.name)))
                owned[gather->targets++] = targets->items[n];
        }
        gather->on_done = on_done;
        gather->context = context;
        status = fan_out_start(&gather->fan_out, fleet, owned, gather->targets, request->commands,
                               request->timeout_ms, on_fan_out_done, gather);
    }
    free(owned);
    if (status < 0)
        gather_release(gather);
    else
        *result = gather;
    return status;
}

struct gather *gather_nothing(struct scrape_request *request, struct telemetry *telemetry)
{
    return gather_new(request, telemetry);
}

struct gather *gather_hold(struct gather *gather)
{
    gather->references++;
    return gather;
}

/* The fan-out is freed first, because it borrows the targets of the request. */
void gather_release(struct gather *gather)
{
    if (!gather || --gather->references) return;
    fan_out_free(gather->fan_out);
    scrape_request_release(gather->request);
    free(gather);
}

const struct snapshot *gather_only(const struct gather *gather)
{
    return gather->targets == 1 ? fan_out_snapshot(gather->fan_out, 0) : NULL;
}
