/*
 *     scrape_answer -> parameters_read -> gather_start -> on_gathered -> expose -> exchange_stream -> on_sent
 *
 * If the exchange ends before the targets have answered, on_abort releases the gather. A kubelet's probe is
 * answered without a new gather.
 */
#include "web/scrape.h"

#include "gather/expose.h"
#include "web/parameters.h"

#include <stdlib.h>

struct scrape {
    struct handlers *handlers; /* borrowed */
    struct exchange *exchange;
    struct scrape_request *request; /* holds a reference */
    struct gather *gather;          /* holds a reference */
};

static void scrape_free(struct scrape *scrape)
{
    scrape->handlers->telemetry->scrapes_running--;
    gather_release(scrape->gather);
    scrape_request_release(scrape->request);
    free(scrape);
}

static void on_abort(void *context)
{
    scrape_free(context);
}

static void on_sent(void *context)
{
    scrape_free(context);
}

/* Answers 403 with `why`, for a scrape whose only target is forbidden by the policy. */
static void answer_forbidden(struct scrape *scrape, const char *why)
{
    struct buffer line;
    buffer_init(&line, 1024);
    buffer_printf(&line, "target: %s\n", why);
    answer_buffer(scrape->exchange, 403, TEXT_PLAIN, &line);
    scrape_free(scrape);
}

static void answer_exposition(struct scrape *scrape)
{
    struct scrape_request *request = scrape->request;
    const struct gather *gather = scrape->gather;
    const struct snapshot *only = gather_only(gather);
    bool failed = request->fail && gather->targets > 0 && gather->up == 0;
    struct response head = {
        .status = failed ? 502 : 200, .content_type = request->content_type, .varies = true};
    if (only && only->state == TARGET_FORBIDDEN) {
        answer_forbidden(scrape, only->error);
        return;
    }
    struct producer *body = expose(scrape->gather, request, on_sent, scrape);
    if (body) {
        exchange_stream(scrape->exchange, &head, body);
    } else {
        answer_line(scrape->exchange, 503, "out of memory");
        scrape_free(scrape);
    }
}

static void on_gathered(void *context)
{
    struct scrape *scrape = context;
    struct handlers *handlers = scrape->handlers;
    bool whole = scrape->request->target_set && scrape->request->shard.count == 0;
    if (whole && !handlers->stopping) kubelet_keep(&handlers->kubelet, scrape->gather, uv_hrtime());
    answer_exposition(scrape);
}

/* An empty body for HEAD: no scrape runs. */
static bool fill_nothing(struct producer *body, struct buffer *out, size_t want)
{
    (void) body, (void) out, (void) want;
    return false;
}

static void release_nothing(struct producer *body)
{
    (void) body;
}

static void answer_head(struct exchange *exchange, const struct scrape_request *request)
{
    static struct producer nothing = {fill_nothing, release_nothing};
    struct response head = {.status = 200, .content_type = request->content_type, .varies = true};
    exchange_stream(exchange, &head, &nothing);
}

static int scrape_start(struct handlers *handlers, struct exchange *exchange, struct scrape_request *request)
{
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    if (!scrape) return UV_ENOMEM;
    *scrape = (struct scrape){handlers, exchange, scrape_request_hold(request), NULL};
    handlers->telemetry->scrapes_running++;
    if (request->target_set) kubelet_observe(&handlers->kubelet, uv_hrtime());
    int status =
        gather_start(&scrape->gather, request, handlers->fleet, handlers->telemetry, on_gathered, scrape);
    if (status < 0)
        scrape_free(scrape);
    else
        exchange_on_abort(exchange, on_abort, scrape);
    return status;
}

/* Answers a probe immediately, from the last gather. Returns 0, or UV_ENOMEM without having answered. */
static int answer_kubelet(struct handlers *handlers, struct exchange *exchange,
                          struct scrape_request *request)
{
    struct telemetry *telemetry = handlers->telemetry;
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    if (!scrape) return UV_ENOMEM;
    *scrape = (struct scrape){handlers, exchange, scrape_request_hold(request), NULL};
    telemetry->scrapes_running++;
    telemetry->kubelet_probes++;
    scrape->gather = kubelet_gather(&handlers->kubelet, request, telemetry, uv_hrtime());
    if (!scrape->gather) {
        scrape_free(scrape);
        return UV_ENOMEM;
    }
    answer_exposition(scrape);
    return 0;
}

void scrape_answer(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                   bool takes_targets)
{
    struct telemetry *telemetry = handlers->telemetry;
    unsigned max_requests = manager_generation(handlers->manager)->settings.options.max_requests;
    struct scrape_request *scrape = scrape_request_new();
    struct query_refusal refusal = {0};
    if (!scrape) {
        answer_line(exchange, 503, "out of memory");
    } else if (!parameters_read(scrape, handlers, request, takes_targets, &refusal)) {
        answer_refusal(exchange, &refusal);
    } else if (request->method == METHOD_HEAD) {
        answer_head(exchange, scrape);
    } else if (!takes_targets && kubelet_asks(request)) {
        if (answer_kubelet(handlers, exchange, scrape) < 0) answer_line(exchange, 503, "out of memory");
    } else if (!exchange_take_place(exchange, max_requests)) {
        telemetry->scrapes_rejected++;
        answer_line(exchange, 503, "too many scrapes at once, see --web.max-requests");
    } else if (scrape_start(handlers, exchange, scrape) < 0) {
        answer_line(exchange, 503, "out of memory");
    }
    scrape_request_release(scrape);
}
