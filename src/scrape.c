/*
 * scrape_start -> on_round_done -> fill, as often as the client takes another piece -> release
 *
 * The snapshots live until the last byte is written, since each piece is encoded when it is asked for. The
 * exchange may end before the answer has begun (on_abort) or in the middle of it (release): both end here, in
 * scrape_free.
 */
#include "scrape.h"

#include "base/container.h"
#include "collectors/exporter.h"
#include "collectors/fleet.h"
#include "memcached/round.h"
#include "metrics/collector.h"
#include "metrics/process.h"

#include <stdlib.h>

struct scrape {
    struct scrape_plan plan;
    struct exchange *exchange;
    struct round *round;
    struct body body;
    struct exposition exposition;
    struct fleet_collector fleet;
    struct process_collector process, memcached_process;
    struct exporter_collector exporter;
    bool collecting; /* the fleet collector is initialised */
};

static void scrape_free(struct scrape *scrape)
{
    scrape_end_fn on_end = scrape->plan.on_end;
    void *context = scrape->plan.context;
    if (scrape->collecting) fleet_collector_deinit(&scrape->fleet);
    round_free(scrape->round);
    target_list_clear(&scrape->plan.own);
    free(scrape);
    on_end(context);
}

static bool fill(struct body *body, struct buffer *out, size_t want)
{
    struct scrape *scrape = container_of(body, struct scrape, body);
    return exposition_fill(&scrape->exposition, out, want);
}

static void release(struct body *body)
{
    scrape_free(container_of(body, struct scrape, body));
}

static void on_abort(void *context)
{
    scrape_free(context);
}

static void add_collectors(struct scrape *scrape)
{
    const struct scrape_plan *plan = &scrape->plan;
    exposition_init(&scrape->exposition);
    exposition_add(&scrape->exposition, &scrape->fleet.collector);
    if (plan->pid_file && plan->pid_file[0]) {
        process_collector_pid_file(&scrape->memcached_process, plan->pid_file);
        exposition_add(&scrape->exposition, &scrape->memcached_process.collector);
    }
    if (plan->with_exporter) {
        exporter_collector_init(&scrape->exporter);
        process_collector_self(&scrape->process);
        exposition_add(&scrape->exposition, &scrape->exporter.collector);
        exposition_add(&scrape->exposition, &scrape->process.collector);
    }
}

static void on_round_done(void *context)
{
    struct scrape *scrape = context;
    struct response response = {.status = 200, .content_type = encoder_content_type, .vary_encoding = true};
    if (fleet_collector_init(&scrape->fleet, scrape->round, scrape->plan.commands, scrape->plan.with_labels) <
        0) {
        struct response failure = {.status = 500, .content_type = "text/plain; charset=utf-8"};
        exchange_respond(scrape->exchange, &failure, SLICE("out of memory\n"));
        scrape_free(scrape);
        return;
    }
    scrape->collecting = true;
    add_collectors(scrape);
    scrape->body = (struct body){.fill = fill, .release = release};
    exchange_stream(scrape->exchange, &response, &scrape->body);
}

int scrape_start(struct exchange *exchange, struct scrape_plan *plan)
{
    const struct target_list *targets = plan->targets ? plan->targets : &plan->own;
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    int result = UV_ENOMEM;
    if (!scrape) goto fail;
    result = round_start(&scrape->round, plan->fleet, targets->items, targets->count, plan->timeout_ms,
                         on_round_done, scrape);
    if (result < 0) goto fail;
    scrape->plan = *plan;
    scrape->exchange = exchange;
    exchange_on_abort(exchange, on_abort, scrape);
    return 0;
fail:
    target_list_clear(&plan->own);
    free(scrape);
    return result;
}
