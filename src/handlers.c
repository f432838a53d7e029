/*
 * route -> parameters -> scrape -> answer. Everything that can be wrong with a request is found here, before
 * a target is asked, and answered in one line that says what was expected.
 */
#include "handlers.h"

#include "base/container.h"
#include "base/number.h"
#include "base/utf8.h"
#include "base/version.h"
#include "http/query.h"
#include "metrics/encoder.h"
#include "scrape.h"
#include "targets.h"

#include <stdio.h>

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* Parameters of a scrape that are documented and not there yet; taking them in silence would answer another
 * question. */
static const char *const unsupported_parameters[] = {"collect[]", "name[]", "debug", "fail"};

/* --- Answers --- */

static void respond_buffer(struct exchange *exchange, int status, const char *content_type,
                           struct buffer *body)
{
    struct response response = {.status = status, .content_type = content_type};
    response.retry_after = status == 503;
    if (status == 405) response.allow = "GET, HEAD";
    exchange_respond(exchange, &response, buffer_slice(body));
    buffer_deinit(body);
}

/* One line. `subject` is what the client sent, shown between quotes, or the empty slice. */
static void respond_line(struct exchange *exchange, int status, const char *what, struct slice subject,
                         const char *expected)
{
    struct buffer body;
    buffer_init(&body, 8192);
    buffer_append_string(&body, what);
    if (subject.data) {
        if (subject.len > 256) subject.len = 256;
        buffer_append_string(&body, " \"");
        utf8_append_escaped(&body, subject);
        buffer_append_char(&body, '"');
    }
    if (expected) buffer_printf(&body, ": %s", expected);
    buffer_append_char(&body, '\n');
    respond_buffer(exchange, status, TEXT_PLAIN, &body);
}

static const struct slice no_subject = {NULL, 0};

/* --- The deadline --- */

/*
 * The smaller of --memcached.timeout and what Prometheus gives, less the offset in which the answer travels
 * back. A header that is too small for the offset is halved, so that there is always some time.
 */
static uint64_t scrape_timeout_ms(const struct options *options, struct slice header)
{
    double seconds, timeout = (double) options->timeout_ns / 1e9;
    double offset = (double) options->timeout_offset_ns / 1e9;
    if (header.len) {
        if (number_parse_double(header, &seconds) && seconds > 0) {
            double left = seconds > offset ? seconds - offset : seconds / 2;
            if (left < timeout) timeout = left;
        } else {
            log_line(LOG_WARN, "the scrape timeout header is no positive number of seconds, it is ignored",
                     (struct log_field){"value", header});
        }
    }
    return timeout < 0.001 ? 1 : (uint64_t) (timeout * 1000);
}

/* --- Scrapes --- */

static void on_scrape_end(void *context)
{
    struct handlers *handlers = context;
    handlers->scrapes--;
}

/* For HEAD: the head of a scrape's answer without the scrape. */
static bool fill_nothing(struct body *body, struct buffer *out, size_t want)
{
    (void) body, (void) out, (void) want;
    return false;
}

static void release_nothing(struct body *body)
{
    (void) body;
}

/* Completes the plan and runs it. The plan's own targets are taken over. */
static void run_scrape(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                       struct scrape_plan *plan)
{
    static struct body nothing = {fill_nothing, release_nothing};
    struct response head = {.status = 200, .content_type = encoder_content_type, .vary_encoding = true};

    if (request->method == METHOD_HEAD) {
        target_list_clear(&plan->own);
        exchange_stream(exchange, &head, &nothing);
        return;
    }
    if (handlers->scrapes >= handlers->options->max_requests) {
        target_list_clear(&plan->own);
        respond_line(exchange, 503, "too many scrapes at once, see --web.max-requests", no_subject, NULL);
        return;
    }
    plan->fleet = handlers->fleet;
    plan->commands = handlers->options->collectors;
    plan->timeout_ms = scrape_timeout_ms(handlers->options, request->scrape_timeout);
    plan->on_end = on_scrape_end;
    plan->context = handlers;
    handlers->scrapes++;
    if (scrape_start(exchange, plan) < 0) {
        handlers->scrapes--;
        respond_line(exchange, 503, "out of memory", no_subject, NULL);
    }
}

static void handle_metrics(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    struct scrape_plan plan = {
        .targets = handlers->targets,
        .with_labels = handlers->targets->count > 1,
        .with_exporter = !handlers->options->disable_exporter_metrics,
        .pid_file = handlers->options->pid_file,
    };
    run_scrape(handlers, exchange, request, &plan);
}

/* --- The targets of a URL --- */

/* What is being read from one query; answers the exchange itself when something is wrong. */
struct selection {
    struct handlers *handlers;
    struct exchange *exchange;
    struct target_list targets;
};

static bool refuse_target(struct selection *selection, int status, struct slice name, const char *why)
{
    respond_line(selection->exchange, status, "target", name, why);
    return false;
}

static bool select_target(struct selection *selection, struct slice name)
{
    const struct handlers *handlers = selection->handlers;
    struct address address;
    const char *expected = address_parse(&address, name, MEMCACHED_PORT);
    if (expected) {
        char why[256];
        snprintf(why, sizeof(why), "expected %s", expected);
        return refuse_target(selection, 400, name, why);
    }
    if (address.kind == ADDRESS_UNIX && !target_list_has(handlers->targets, &address)) {
        return refuse_target(selection, 403, name,
                             "a unix socket may be scraped by URL only if it is configured");
    }
    if (selection->targets.count == handlers->options->max_targets) {
        return refuse_target(selection, 400, name, "too many targets, see --scrape.max-targets");
    }
    if (target_list_add(&selection->targets, handlers->fleet, &address, handlers->options->target_label,
                        name) < 0) {
        return refuse_target(selection, 503, name, "out of memory");
    }
    return true;
}

static bool take_parameter(struct selection *selection, struct slice name, struct slice value)
{
    if (slice_is(name, "target")) return value.len == 0 || select_target(selection, value);
    if (slice_is(name, "module") && value.len) {
        respond_line(selection->exchange, 400, "unknown module", value, NULL);
        return false;
    }
    for (size_t n = 0; n < ARRAY_LEN(unsupported_parameters); n++) {
        if (!slice_is(name, unsupported_parameters[n])) continue;
        respond_line(selection->exchange, 400, "parameter", name, "not supported yet");
        return false;
    }
    return true;
}

/* Reads the whole query; false when the exchange has been answered. */
static bool read_query(struct selection *selection, struct slice query, struct buffer *storage)
{
    struct slice name, value;
    if (query.len && !buffer_reserve(storage, query.len)) {
        respond_line(selection->exchange, 503, "out of memory", no_subject, NULL);
        return false;
    }
    for (;;) {
        switch (query_next(&query, storage, &name, &value)) {
        case QUERY_PAIR:
            if (!take_parameter(selection, name, value)) return false;
            break;
        case QUERY_MALFORMED:
            respond_line(selection->exchange, 400, "malformed query", no_subject,
                         "expected '%' to be followed by two hexadecimal digits other than 00");
            return false;
        case QUERY_END:
            if (selection->targets.count) return true;
            respond_line(selection->exchange, 400, "'target' parameter must be specified", no_subject, NULL);
            return false;
        }
    }
}

static void handle_scrape(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    struct selection selection = {.handlers = handlers, .exchange = exchange};
    struct buffer storage;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    if (read_query(&selection, request->query, &storage)) {
        struct scrape_plan plan = {.own = selection.targets, .with_labels = selection.targets.count > 1};
        run_scrape(handlers, exchange, request, &plan);
    } else {
        target_list_clear(&selection.targets);
    }
    buffer_deinit(&storage);
}

/* --- Pages for people and probes --- */

static void handle_root(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    const struct options *options = handlers->options;
    struct buffer page;
    (void) request;
    buffer_init(&page, 64 * 1024);
    buffer_append_string(&page, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                                "<title>Memcached Fleet Exporter</title></head>\n<body>\n"
                                "<h1>Memcached Fleet Exporter</h1>\n");
    buffer_printf(&page, "<p>Version %s (revision %s), %zu configured target%s.</p>\n<ul>\n",
                  build_info.version, build_info.revision, handlers->targets->count,
                  handlers->targets->count == 1 ? "" : "s");
    buffer_printf(&page, "<li><a href=\"%s\">Metrics</a> of every configured target</li>\n",
                  options->telemetry_path);
    if (options->scrape_endpoint) {
        buffer_printf(&page,
                      "<li><a href=\"%s?target=localhost:11211\">Scrape</a> of the targets in the URL: "
                      "<code>%s?target=localhost:11211</code></li>\n",
                      options->scrape_path, options->scrape_path);
    }
    buffer_append_string(&page,
                         "<li><a href=\"/-/healthy\">Healthy</a>, <a href=\"/-/ready\">ready</a></li>\n"
                         "</ul>\n</body>\n</html>\n");
    respond_buffer(exchange, 200, "text/html; charset=utf-8", &page);
}

static void handle_healthy(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    (void) handlers, (void) request;
    respond_line(exchange, 200, "Memcached Fleet Exporter is Healthy.", no_subject, NULL);
}

static void handle_ready(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    (void) request;
    if (handlers->stopping)
        respond_line(exchange, 503, "Memcached Fleet Exporter is stopping.", no_subject, NULL);
    else
        respond_line(exchange, 200, "Memcached Fleet Exporter is Ready.", no_subject, NULL);
}

/* --- Routes --- */

typedef void (*handle_fn)(struct handlers *handlers, struct exchange *exchange,
                          const struct request *request);

static handle_fn find_route(const struct options *options, struct slice path)
{
    if (slice_is(path, options->telemetry_path)) return handle_metrics;
    if (options->scrape_endpoint && (slice_is(path, options->scrape_path) || slice_is(path, "/probe"))) {
        return handle_scrape;
    }
    if (slice_is(path, "/")) return handle_root;
    if (slice_is(path, "/-/healthy")) return handle_healthy;
    if (slice_is(path, "/-/ready")) return handle_ready;
    return NULL;
}

void handlers_handle(void *context, struct exchange *exchange, const struct request *request)
{
    struct handlers *handlers = context;
    struct buffer path;
    buffer_init(&path, REQUEST_HEAD_MAX);
    if (!path_decode(request->path, &path)) {
        respond_line(exchange, 400, "malformed path", no_subject,
                     "expected '%' to be followed by two hexadecimal digits other than 00");
        buffer_deinit(&path);
        return;
    }
    handle_fn handle = find_route(handlers->options, buffer_slice(&path));
    buffer_deinit(&path);

    if (!handle)
        respond_line(exchange, 404, "not found", request->path, NULL);
    else if (request->method == METHOD_OTHER)
        respond_line(exchange, 405, "expected GET or HEAD", no_subject, NULL);
    else
        handle(handlers, exchange, request);
}
