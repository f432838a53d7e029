/*
 *     scrape_answer -> parameters_read -> gather_start -> on_gathered -> expose -> exchange_stream -> on_sent
 *
 * If the exchange ends before the targets have answered, on_abort releases the gather. A kubelet's probe is
 * answered without a new gather.
 */
#include "web/scrape.h"

#include "gather/expose.h"
#include "web/debug.h"
#include "web/parameters.h"

#include <stdio.h>
#include <stdlib.h>

struct scrape {
    struct handlers *handlers; /* borrowed */
    struct exchange *exchange;
    struct scrape_request *request;        /* holds a reference */
    struct gather *gather;                 /* holds a reference */
    void (*answer)(struct scrape *scrape); /* answers once the targets have answered; frees the scrape */
    size_t from;                           /* server on the page that a refresh leads back to */
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
    if (only && only->state == TARGET_FORBIDDEN && !request->debug) {
        answer_forbidden(scrape, only->error);
        return;
    }
    struct producer *debug = request->debug ? debug_producer(scrape->gather) : NULL;
    struct producer *body = NULL;
    if (debug || !request->debug) body = expose(scrape->gather, request, on_sent, scrape);
    if (body && debug) debug_set_samples(debug, body);
    if (body) {
        exchange_stream(scrape->exchange, &head, debug ? debug : body);
    } else {
        if (debug) debug->release(debug);
        answer_line(scrape->exchange, 503, "out of memory");
        scrape_free(scrape);
    }
}

/* Keeps the gather for kubelets first, if it has all configured targets. */
static void answer_scrape(struct scrape *scrape)
{
    struct handlers *handlers = scrape->handlers;
    bool whole = scrape->request->target_set && scrape->request->shard.count == 0;
    if (whole && !handlers->stopping) kubelet_keep(&handlers->kubelet, scrape->gather, uv_hrtime());
    answer_exposition(scrape);
}

static void answer_refresh(struct scrape *scrape)
{
    char page[48];
    struct response head = {.status = 303, .content_type = TEXT_PLAIN, .location = page};
    snprintf(page, sizeof(page), "./?from=%zu", scrape->from);
    exchange_respond(scrape->exchange, &head, SLICE("All servers were asked.\n"));
    scrape_free(scrape);
}

static void on_gathered(void *context)
{
    struct scrape *scrape = context;
    scrape->answer(scrape);
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

static void answer_head(struct scrape *scrape)
{
    static struct producer nothing = {fill_nothing, release_nothing};
    struct response head = {.status = 200, .content_type = scrape->request->content_type, .varies = true};
    exchange_stream(scrape->exchange, &head, &nothing);
    scrape_free(scrape);
}

static struct scrape *scrape_new(struct handlers *handlers, struct exchange *exchange,
                                 struct scrape_request *request)
{
    struct scrape *scrape = calloc(1, sizeof(*scrape));
    if (!scrape) return NULL;
    *scrape =
        (struct scrape){.handlers = handlers, .exchange = exchange, .request = scrape_request_hold(request)};
    handlers->telemetry->scrapes_running++;
    return scrape;
}

/* Starts the gather of the scrape. Returns false if it was answered: there is no place, or no memory. */
static bool scrape_start(struct scrape *scrape)
{
    struct handlers *handlers = scrape->handlers;
    struct exchange *exchange = scrape->exchange;
    struct telemetry *telemetry = handlers->telemetry;
    unsigned max_requests = manager_generation(handlers->manager)->settings.options.max_requests;
    if (!exchange_take_place(exchange, max_requests)) {
        telemetry->scrapes_rejected++;
        answer_line(exchange, 503, "too many scrapes at once, see --web.max-requests");
    } else if (gather_start(&scrape->gather, scrape->request, handlers->fleet, telemetry, on_gathered,
                            scrape) < 0) {
        answer_line(exchange, 503, "out of memory");
    } else {
        exchange_on_abort(exchange, on_abort, scrape);
        return true;
    }
    scrape_free(scrape);
    return false;
}

/* Answers a probe immediately, from the last gather. */
static void answer_kubelet(struct scrape *scrape)
{
    struct handlers *handlers = scrape->handlers;
    handlers->telemetry->kubelet_probes++;
    scrape->gather = kubelet_gather(&handlers->kubelet, scrape->request, handlers->telemetry, uv_hrtime());
    if (scrape->gather) {
        answer_exposition(scrape);
        return;
    }
    answer_line(scrape->exchange, 503, "out of memory");
    scrape_free(scrape);
}

/* Reads the request. Returns NULL if it was answered: it is invalid, or there is no memory. */
static struct scrape *read_request(struct handlers *handlers, struct exchange *exchange,
                                   const struct request *request, bool takes_targets)
{
    struct scrape_request *scrape_request = scrape_request_new();
    struct query_refusal refusal = {0};
    struct scrape *scrape = NULL;
    if (scrape_request && !parameters_read(scrape_request, handlers, request, takes_targets, &refusal))
        answer_refusal(exchange, &refusal);
    else if (!scrape_request || !(scrape = scrape_new(handlers, exchange, scrape_request)))
        answer_line(exchange, 503, "out of memory");
    scrape_request_release(scrape_request);
    return scrape;
}

void scrape_answer(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                   bool takes_targets)
{
    struct scrape *scrape = read_request(handlers, exchange, request, takes_targets);
    if (!scrape) return;
    scrape->answer = answer_scrape;
    if (request->method == METHOD_HEAD)
        answer_head(scrape);
    else if (!takes_targets && kubelet_asks(request))
        answer_kubelet(scrape);
    else if (scrape_start(scrape) && !takes_targets)
        kubelet_observe(&handlers->kubelet, uv_hrtime());
}

void scrape_refresh(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                    size_t from)
{
    struct scrape *scrape = read_request(handlers, exchange, request, false);
    if (!scrape) return;
    scrape->answer = answer_refresh;
    scrape->from = from;
    scrape_start(scrape);
}
