/*
 * scrape_start -> gather -> on_ready -> exchange_stream, which asks the collection's source -> on_end
 *
 * The exchange may end before the collection is ready: on_abort cancels it then.
 */
#include "web/scrape.h"

#include <stdlib.h>

struct scrape {
    struct exchange *exchange;
    struct gather *gather;
    const char *content_type; /* static */
    bool fail;
    gather_fn on_end; /* of the one who asked for the scrape */
    void *context;
};

static void on_abort(void *context)
{
    struct scrape *scrape = context;
    gather_cancel(scrape->gather);
}

/* What the policy forbids is no news about a server, when nothing else was asked for. */
static void forbid(struct scrape *scrape, const char *why)
{
    struct response response = {.status = 403, .content_type = "text/plain; charset=utf-8"};
    struct buffer line;
    buffer_init(&line, 1024);
    buffer_printf(&line, "target: %s\n", why);
    exchange_respond(scrape->exchange, &response, buffer_slice(&line));
    buffer_deinit(&line);
    gather_cancel(scrape->gather);
}

static void on_ready(void *context)
{
    struct scrape *scrape = context;
    const struct snapshot *only = gather_only(scrape->gather);
    if (only && only->state == TARGET_FORBIDDEN) {
        forbid(scrape, only->error);
        return;
    }
    bool failed = scrape->fail && gather_targets(scrape->gather) > 0 && gather_up(scrape->gather) == 0;
    struct response response = {
        .status = failed ? 502 : 200, .content_type = scrape->content_type, .varies = true};
    exchange_stream(scrape->exchange, &response, gather_source(scrape->gather));
}

static void on_end(void *context)
{
    struct scrape *scrape = context;
    gather_fn tell = scrape->on_end;
    void *whom = scrape->context;
    free(scrape);
    tell(whom);
}

int scrape_start(struct exchange *exchange, struct gather_plan *plan, const char *content_type, bool fail)
{
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    if (!scrape) {
        gather_plan_clear(plan);
        return UV_ENOMEM;
    }
    *scrape = (struct scrape){
        .exchange = exchange,
        .content_type = content_type,
        .fail = fail,
        .on_end = plan->on_end,
        .context = plan->context,
    };
    plan->on_ready = on_ready;
    plan->on_end = on_end;
    plan->context = scrape;
    int result = gather_start(&scrape->gather, plan);
    if (result < 0) {
        free(scrape);
        return result;
    }
    exchange_on_abort(exchange, on_abort, scrape);
    return 0;
}
