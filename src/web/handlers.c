/*
 * route -> parameters -> scrape -> answer. Everything that can be wrong with a request is found here, before
 * a target is asked, and answered in one line that says what was expected.
 */
#include "web/handlers.h"

#include "base/container.h"
#include "base/number.h"
#include "base/utf8.h"
#include "base/version.h"
#include "http/accept.h"
#include "http/query.h"
#include "web/parameters.h"
#include "web/scrape.h"
#include "web/sd.h"

#define TEXT_PLAIN "text/plain; charset=utf-8"

/* In force now. */
static const struct options *options_of(const struct handlers *handlers)
{
    return &manager_generation(handlers->manager)->settings.options;
}

/* --- Answers --- */

static void respond_buffer(struct exchange *exchange, int status, const char *content_type,
                           struct buffer *body)
{
    struct response response = {.status = status, .content_type = content_type};
    response.retry_after = status == 503;
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
    if (expected && *expected) buffer_printf(&body, ": %s", expected);
    buffer_append_char(&body, '\n');
    respond_buffer(exchange, status, TEXT_PLAIN, &body);
}

static const struct slice no_subject = {NULL, 0};
static const char stopping[] = "Memcached Fleet Exporter is stopping.";
static const char malformed[] = "expected '%' to be followed by two hexadecimal digits other than 00";

/* `allow` names the methods: "GET, HEAD". */
static void respond_method(struct exchange *exchange, const char *allow, struct slice line)
{
    struct response response = {.status = 405, .content_type = TEXT_PLAIN, .allow = allow};
    exchange_respond(exchange, &response, line);
}

/* --- The deadline --- */

/*
 * The smaller of `timeout_ms` and what Prometheus gives, less the offset in which the answer travels back. A
 * header that is too small for the offset is halved, so that there is always some time.
 */
static uint64_t scrape_timeout_ms(const struct options *options, struct slice header, uint64_t timeout_ms)
{
    double seconds, offset = (double) options->timeout_offset_ns / 1e9;
    if (header.len == 0) return timeout_ms;
    if (!number_parse_double(header, &seconds) || !(seconds > 0)) {
        log_line_limited(LOG_WARN,
                         "the scrape timeout header is no positive number of seconds, it is ignored",
                         (struct log_field){"value", header});
        return timeout_ms;
    }
    double left_ms = 1000 * (seconds > offset ? seconds - offset : seconds / 2);
    if (left_ms >= (double) timeout_ms) return timeout_ms;
    return left_ms < 1 ? 1 : (uint64_t) left_ms;
}

/* --- The format --- */

/* Prometheus 3 also says how names that are not plain are to be escaped. All of ours are plain, so that every
 * scheme is kept. */
#define CONTENT_TYPES(type)                                                                                  \
    {                                                                                                        \
        type, type "; escaping=allow-utf-8", type "; escaping=underscores", type "; escaping=dots",          \
            type "; escaping=values"                                                                         \
    }

static const char *const escapings[] = {"", "allow-utf-8", "underscores", "dots", "values"};

static const char *const content_types[][ARRAY_LEN(escapings)] = {
    [FORMAT_TEXT] = CONTENT_TYPES("text/plain; version=0.0.4; charset=utf-8"),
    [FORMAT_OPENMETRICS] = CONTENT_TYPES("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    [FORMAT_PROTOBUF] = CONTENT_TYPES(
        "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"),
};

/* What the client likes best of what there is. */
static enum format choose_format(struct slice accept, const char **content_type)
{
    static const struct media_offer offers[] = {
        [FORMAT_TEXT] = {"text/plain", .version = "0.0.4"},
        [FORMAT_OPENMETRICS] = {"application/openmetrics-text", .version = "1.0.0"},
        [FORMAT_PROTOBUF] = {"application/vnd.google.protobuf", .proto = "io.prometheus.client.MetricFamily",
                             .encoding = "delimited"},
    };
    struct media_choice choice = accept_choose(accept, offers, ARRAY_LEN(offers));
    *content_type = content_types[choice.offer][0];
    for (size_t n = 1; n < ARRAY_LEN(escapings); n++) {
        if (slice_is(choice.escaping, escapings[n])) *content_type = content_types[choice.offer][n];
    }
    return (enum format) choice.offer;
}

/* --- Scrapes --- */

static void on_scrape_end(void *context)
{
    struct handlers *handlers = context;
    handlers->telemetry->scrapes_running--;
}

/* For HEAD: the head of a scrape's answer without the scrape. */
static bool fill_nothing(struct source *body, struct buffer *out, size_t want)
{
    (void) body, (void) out, (void) want;
    return false;
}

static void release_nothing(struct source *body)
{
    (void) body;
}

/* Completes the plan and runs it, or answers without it. What the plan owns is taken over. */
static void run_scrape(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                       struct gather_plan *plan, bool fail)
{
    const struct options *options = options_of(handlers);
    static struct source nothing = {fill_nothing, release_nothing};
    struct telemetry *telemetry = handlers->telemetry;
    struct response head = {.status = 200, .varies = true};

    plan->format = choose_format(request->headers[HEADER_ACCEPT], &head.content_type);
    if (request->method == METHOD_HEAD) {
        gather_plan_clear(plan);
        exchange_stream(exchange, &head, &nothing);
        return;
    }
    if (telemetry->scrapes_running >= options->max_requests) {
        gather_plan_clear(plan);
        telemetry->scrapes_rejected++;
        respond_line(exchange, 503, "too many scrapes at once, see --web.max-requests", no_subject, NULL);
        return;
    }
    plan->fleet = handlers->fleet;
    plan->telemetry = telemetry;
    plan->timeout_ms = scrape_timeout_ms(options, request->headers[HEADER_SCRAPE_TIMEOUT], plan->timeout_ms);
    plan->on_end = on_scrape_end;
    plan->context = handlers;
    telemetry->scrapes_running++;
    if (scrape_start(exchange, plan, head.content_type, fail) < 0) {
        telemetry->scrapes_running--;
        respond_line(exchange, 503, "out of memory", no_subject, NULL);
    }
}

/* The commands that some configured target may be asked. */
static unsigned configured_commands(const struct handlers *handlers)
{
    const struct config *config = manager_generation(handlers->manager)->config;
    unsigned commands = options_of(handlers)->collectors;
    for (size_t n = 0; n < config->module_count; n++) commands |= config->modules[n].collectors;
    return commands;
}

/* Reads the query into the plan and runs it; answers itself when the query is at fault. */
static void scrape_query(struct handlers *handlers, struct exchange *exchange, const struct request *request,
                         struct gather_plan *plan, bool takes_targets)
{
    struct parameter_rules rules = {
        .options = options_of(handlers),
        .fleet = handlers->fleet,
        .generation = manager_generation(handlers->manager),
        .policy = generation_policy(manager_generation(handlers->manager)),
        .commands = configured_commands(handlers),
        .takes_targets = takes_targets,
    };
    struct parameters parameters;
    struct parameter_refusal refusal;
    if (parameters_read(&parameters, &rules, request->query, &refusal)) {
        plan->own = parameters.targets;
        plan->names = parameters.names;
        plan->shard = parameters.shard;
        plan->commands = parameters.commands;
        if (parameters.narrowed) plan->own_collectors &= parameters.own_collectors;
        if (takes_targets) plan->with_labels = parameters.targets.count > 1;
        /* Moved, so that clearing the parameters leaves them alone. */
        parameters.targets = (struct target_list){0};
        buffer_init(&parameters.names, 0);
        run_scrape(handlers, exchange, request, plan, parameters.fail);
    } else {
        gather_plan_clear(plan);
        respond_line(exchange, refusal.status, refusal.what, refusal.subject, refusal.why);
    }
    parameters_clear(&parameters);
}

static void handle_metrics(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    struct target_set *target_set = manager_target_set(handlers->manager);
    struct gather_plan plan = {
        .target_set = target_set_hold(target_set),
        .with_labels = target_set->with_labels,
        .own_collectors = own_collectors(options_of(handlers)),
        .pid_file = options_of(handlers)->pid_file,
        .timeout_ms = COLLECTION_TIMEOUT,
    };
    scrape_query(handlers, exchange, request, &plan, false);
}

static void handle_scrape(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    struct gather_plan plan = {.timeout_ms = COLLECTION_TIMEOUT};
    scrape_query(handlers, exchange, request, &plan, true);
}

/* --- What is configured --- */

/* The group= of a query; its bytes are in the storage. False when the query is malformed. */
static bool find_group(struct slice query, struct buffer *storage, struct slice *group)
{
    struct slice name, value;
    enum query_outcome outcome;
    *group = no_subject;
    if (query.len) buffer_reserve(storage, query.len);
    while (!storage->failed && (outcome = query_next(&query, storage, &name, &value)) != QUERY_END) {
        if (outcome == QUERY_MALFORMED) return false;
        if (slice_is(name, "group")) *group = value;
    }
    return true;
}

static void stream_targets(struct handlers *handlers, struct exchange *exchange, struct slice group)
{
    struct response head = {.status = 200, .content_type = "application/json"};
    struct sd_request request = {
        .target_set = manager_target_set(handlers->manager),
        .group = group,
        .target_label = options_of(handlers)->target_label,
        .with_modules = manager_generation(handlers->manager)->config->file,
    };
    struct source *source = sd_source(&request);
    if (source)
        exchange_stream(exchange, &head, source);
    else
        respond_line(exchange, 503, "out of memory", no_subject, NULL);
}

static void handle_sd(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    struct buffer storage;
    struct slice group;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    if (!find_group(request->query, &storage, &group))
        respond_line(exchange, 400, "malformed query", no_subject, malformed);
    else if (storage.failed)
        respond_line(exchange, 503, "out of memory", no_subject, NULL);
    else if (group.data && !sd_has_group(manager_target_set(handlers->manager), group))
        respond_line(exchange, 404, "unknown group", group, NULL);
    else
        stream_targets(handlers, exchange, group);
    buffer_deinit(&storage);
}

static void on_reloaded(void *context, int status, const char *error)
{
    struct exchange *exchange = context;
    struct response response = {.status = 200, .content_type = TEXT_PLAIN};
    if (status < 0)
        respond_line(exchange, status == UV_ECANCELED ? 503 : 500, error, no_subject, NULL);
    else
        exchange_respond(exchange, &response, SLICE(""));
}

static void handle_reload(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    const struct options *options = options_of(handlers);
    if (request->method != METHOD_POST)
        respond_method(exchange, "POST", SLICE("expected POST\n"));
    else if (!options->enable_lifecycle)
        respond_line(exchange, 403, "Lifecycle API is not enabled, see --web.enable-lifecycle", no_subject,
                     NULL);
    else if (!options->config_file[0])
        respond_line(exchange, 200, "there is nothing to reload without --config.file", no_subject, NULL);
    else if (handlers->stopping || reload_request(handlers->reload, on_reloaded, exchange) < 0)
        respond_line(exchange, 503, handlers->stopping ? stopping : "out of memory", no_subject, NULL);
}

/* --- Pages for people and probes --- */

static void handle_root(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    const struct options *options = options_of(handlers);
    size_t targets = manager_target_set(handlers->manager)->targets.count;
    struct buffer page;
    (void) request;
    buffer_init(&page, 64 * 1024);
    buffer_append_string(&page, "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                                "<title>Memcached Fleet Exporter</title></head>\n<body>\n"
                                "<h1>Memcached Fleet Exporter</h1>\n");
    buffer_printf(&page, "<p>Version %s (revision %s), %zu configured target%s.</p>\n<ul>\n",
                  build_info.version, build_info.revision, targets, targets == 1 ? "" : "s");
    buffer_printf(&page, "<li><a href=\"%s\">Metrics</a> of every configured target</li>\n",
                  options->telemetry_path);
    if (options->scrape_endpoint) {
        buffer_printf(&page,
                      "<li><a href=\"%s?target=localhost:11211\">Scrape</a> of the targets in the URL: "
                      "<code>%s?target=localhost:11211</code></li>\n",
                      options->scrape_path, options->scrape_path);
    }
    buffer_append_string(&page,
                         "<li><a href=\"/sd\">Service discovery</a>: the configured targets as JSON</li>\n"
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
        respond_line(exchange, 503, stopping, no_subject, NULL);
    else if (!manager_is_ready(handlers->manager))
        respond_line(exchange, 503,
                     "Memcached Fleet Exporter is not ready yet: discovery has not found its targets.",
                     no_subject, NULL);
    else
        respond_line(exchange, 200, "Memcached Fleet Exporter is Ready.", no_subject, NULL);
}

/* --- Routes --- */

struct route {
    const char *name; /* of the handler, in the exporter's own metrics */
    void (*handle)(struct handlers *handlers, struct exchange *exchange, const struct request *request);
    bool any_method; /* the handler looks at it */
};

static const struct route metrics = {"metrics", handle_metrics, false};
static const struct route scrape = {"scrape", handle_scrape, false};

static const struct route *find_route(const struct options *options, struct slice path)
{
    static const struct {
        const char *path;
        struct route route;
    } fixed[] = {
        {"/", {"root", handle_root, false}},
        {"/sd", {"sd", handle_sd, false}},
        {"/-/healthy", {"healthy", handle_healthy, false}},
        {"/-/ready", {"ready", handle_ready, false}},
        {"/-/reload", {"reload", handle_reload, true}},
    };
    if (slice_is(path, options->telemetry_path)) return &metrics;
    if (options->scrape_endpoint && (slice_is(path, options->scrape_path) || slice_is(path, "/probe")))
        return &scrape;
    for (size_t n = 0; n < ARRAY_LEN(fixed); n++) {
        if (slice_is(path, fixed[n].path)) return &fixed[n].route;
    }
    return NULL;
}

void handlers_handle(void *context, struct exchange *exchange, const struct request *request)
{
    struct handlers *handlers = context;
    struct buffer path;
    buffer_init(&path, REQUEST_HEAD_MAX);
    exchange_set_handler(exchange, "none");
    if (!path_decode(request->path, &path)) {
        respond_line(exchange, 400, "malformed path", no_subject, malformed);
        buffer_deinit(&path);
        return;
    }
    const struct route *route = find_route(options_of(handlers), buffer_slice(&path));
    buffer_deinit(&path);
    if (route) exchange_set_handler(exchange, route->name);

    bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (!route)
        respond_line(exchange, 404, "not found", request->path, NULL);
    else if (!reads && !route->any_method)
        respond_method(exchange, "GET, HEAD", SLICE("expected GET or HEAD\n"));
    else
        route->handle(handlers, exchange, request);
}
