/*
 *     route -> parameters -> scrape -> answer
 *
 * A request is checked completely before any target is asked. An invalid request is answered with one line
 * that says what was expected.
 */
#include "web/handlers.h"

#include "base/clock.h"
#include "base/container.h"
#include "base/number.h"
#include "http/query.h"
#include "watch/watch.h"
#include "web/answer.h"
#include "web/hotkeys.h"
#include "web/page.h"
#include "web/scrape.h"
#include "web/sd.h"

#include <stdio.h>
#include <string.h>

/* Returns the active options. */
static const struct options *options_of(const struct handlers *handlers)
{
    return &manager_generation(handlers->manager)->settings.options;
}

static const char stopping[] = "Memcached Fleet Exporter is stopping.";
static const char malformed[] = "expected '%' to be followed by two hexadecimal digits other than 00";

static void answer_malformed(struct exchange *exchange, const char *what)
{
    struct query_refusal refusal = {.status = 400, .what = what};
    snprintf(refusal.why, sizeof(refusal.why), "%s", malformed);
    answer_refusal(exchange, &refusal);
}

/* Answers 404 with the client's text, which may be cut. */
static void answer_unknown(struct exchange *exchange, const char *what, struct slice subject)
{
    struct query_refusal refusal = {.status = 404, .what = what, .subject = subject};
    if (subject.len > sizeof(refusal.sent)) refusal.subject.len = sizeof(refusal.sent);
    answer_refusal(exchange, &refusal);
}

/* Answers 405. `allow` lists the methods: "GET, HEAD". */
static void answer_method(struct exchange *exchange, const char *allow, struct slice line)
{
    struct response response = {.status = 405, .content_type = TEXT_PLAIN, .allow = allow};
    exchange_respond(exchange, &response, line);
}

/* --- Scrapes --- */

static void handle_metrics(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    scrape_answer(handlers, exchange, request, false);
}

static void handle_scrape(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    scrape_answer(handlers, exchange, request, true);
}

/* --- What is configured --- */

/*
 * Finds the group= of a query. `group` points into `storage`; its data is NULL if there is no group=. Returns
 * QUERY_END, or why the query could not be read.
 */
static enum query_outcome find_group(struct slice query, struct buffer *storage, struct slice *group)
{
    struct slice name, value;
    enum query_outcome outcome;
    *group = (struct slice){NULL, 0};
    while ((outcome = query_next(&query, storage, &name, &value)) == QUERY_PAIR) {
        if (slice_is(name, "group")) *group = value;
    }
    return outcome;
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
    struct producer *producer = sd_producer(&request);
    if (producer)
        exchange_stream(exchange, &head, producer);
    else
        answer_line(exchange, 503, "out of memory");
}

static void handle_sd(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    struct buffer storage;
    struct slice group;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    enum query_outcome outcome = find_group(request->query, &storage, &group);
    if (outcome == QUERY_MALFORMED)
        answer_malformed(exchange, "malformed query");
    else if (outcome == QUERY_NO_MEMORY)
        answer_line(exchange, 503, "out of memory");
    else if (group.data && !sd_has_group(manager_target_set(handlers->manager), group))
        answer_unknown(exchange, "unknown group", group);
    else
        stream_targets(handlers, exchange, group);
    buffer_deinit(&storage);
}

static void stream_hotkeys(struct exchange *exchange, const struct hotkeys_request *request)
{
    struct response head = {.status = 200,
                            .content_type = request->json ? "application/json" : "text/html; charset=utf-8"};
    struct producer *producer = hotkeys_producer(request);
    if (producer)
        exchange_stream(exchange, &head, producer);
    else
        answer_line(exchange, 503, "out of memory");
}

static void handle_hotkeys(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    struct hotkeys_request hotkeys = {.watch = handlers->telemetry->watch};
    struct slice query = request->query, name, value;
    struct buffer storage;
    enum query_outcome outcome;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    while ((outcome = query_next(&query, &storage, &name, &value)) == QUERY_PAIR) {
        if (slice_is(name, "format")) hotkeys.json = slice_is(value, "json");
        if (slice_is(name, "target")) hotkeys.target = value;
    }
    if (outcome == QUERY_MALFORMED)
        answer_malformed(exchange, "malformed query");
    else if (!hotkeys.watch || !watch_config(hotkeys.watch)->enabled)
        answer_line(exchange, 404, "no server is watched, see watch in the configuration file");
    else if (!hotkeys_has_target(&hotkeys))
        answer_unknown(exchange, "unknown target", hotkeys.target);
    else
        stream_hotkeys(exchange, &hotkeys);
    buffer_deinit(&storage);
}

static void on_reloaded(void *context, int status, const char *error)
{
    struct exchange *exchange = context;
    struct response response = {.status = 200, .content_type = TEXT_PLAIN};
    if (status < 0)
        answer_line(exchange, status == UV_ECANCELED ? 503 : 500, error);
    else
        exchange_respond(exchange, &response, SLICE(""));
}

static void handle_reload(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    const struct options *options = options_of(handlers);
    if (request->method != METHOD_POST)
        answer_method(exchange, "POST", SLICE("expected POST\n"));
    else if (!options->enable_lifecycle)
        answer_line(exchange, 403, "Lifecycle API is not enabled, see --web.enable-lifecycle");
    else if (!options->config_file[0])
        answer_line(exchange, 200, "there is nothing to reload without --config.file");
    else if (handlers->stopping || reload_request(handlers->reload, on_reloaded, exchange) < 0)
        answer_line(exchange, 503, handlers->stopping ? stopping : "out of memory");
}

/* --- Pages for people and probes --- */

/* Returns the from= of a query. Returns 0, for the first page, if from= is missing or invalid. */
static size_t find_from(struct slice query)
{
    struct slice name, value;
    struct buffer storage;
    uint64_t from = 0;
    buffer_init(&storage, REQUEST_HEAD_MAX);
    while (query_next(&query, &storage, &name, &value) == QUERY_PAIR) {
        if (slice_is(name, "from") && !number_parse_u64(value, &from)) from = 0;
    }
    buffer_deinit(&storage);
    return (size_t) from;
}

static void show_page(struct handlers *handlers, struct exchange *exchange, size_t from)
{
    const struct options *options = options_of(handlers);
    struct response head = {.status = 200, .content_type = "text/html; charset=utf-8"};
    struct page_request page = {
        .target_set = manager_target_set(handlers->manager),
        .options = options,
        .generation = manager_generation(handlers->manager),
        .reload = options->config_file[0] ? reload_state(handlers->reload) : NULL,
        .with_modules = manager_generation(handlers->manager)->config->file,
        .ready = manager_is_ready(handlers->manager),
        .from = from,
        .now_ms = uv_hrtime() / 1000000,
        .now_s = unix_now(),
    };
    struct producer *producer = page_producer(&page);
    if (producer)
        exchange_stream(exchange, &head, producer);
    else
        answer_line(exchange, 503, "out of memory");
}

/*
 * GET shows the page and asks no memcached, since probes and charts ask for it. POST, which only the button
 * of the page sends, asks all servers and then leads back to the page.
 */
static void handle_root(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    size_t from = find_from(request->query);
    if (request->method == METHOD_GET || request->method == METHOD_HEAD)
        show_page(handlers, exchange, from);
    else if (request->method != METHOD_POST)
        answer_method(exchange, "GET, HEAD, POST", SLICE("expected GET, HEAD or POST\n"));
    else if (handlers->stopping)
        answer_line(exchange, 503, stopping);
    else
        scrape_refresh(handlers, exchange, request, from);
}

static void handle_healthy(struct handlers *handlers, struct exchange *exchange,
                           const struct request *request)
{
    (void) handlers, (void) request;
    answer_line(exchange, 200, "Memcached Fleet Exporter is Healthy.");
}

static void handle_ready(struct handlers *handlers, struct exchange *exchange, const struct request *request)
{
    (void) request;
    if (handlers->stopping)
        answer_line(exchange, 503, stopping);
    else if (!manager_is_ready(handlers->manager))
        answer_line(exchange, 503,
                    "Memcached Fleet Exporter is not ready yet: discovery has not found its targets.");
    else
        answer_line(exchange, 200, "Memcached Fleet Exporter is Ready.");
}

/* --- Routes --- */

struct route {
    const char *name; /* name of the handler in the exporter's own metrics */
    void (*handle)(struct handlers *handlers, struct exchange *exchange, const struct request *request);
    bool any_method; /* the handler checks the method itself */
};

static const struct route metrics = {"metrics", handle_metrics, false};
static const struct route scrape = {"scrape", handle_scrape, false};

/*
 * Returns true if `path` is below `tree`. As in Go, a tree that ends in a slash covers all paths below it,
 * and itself without the slash.
 */
static bool is_below(struct slice path, const char *tree)
{
    size_t len = strlen(tree);
    if (tree[len - 1] != '/') return false;
    return slice_starts(path, tree) || (path.len == len - 1 && memcmp(path.data, tree, path.len) == 0);
}

static const struct route *find_route(const struct options *options, struct slice path)
{
    static const struct {
        const char *path;
        struct route route;
    } fixed[] = {
        {"/", {"root", handle_root, true}},
        {"/sd", {"sd", handle_sd, false}},
        {"/hotkeys", {"hotkeys", handle_hotkeys, false}},
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
    if (options->scrape_endpoint && is_below(path, options->scrape_path)) return &scrape;
    return is_below(path, options->telemetry_path) ? &metrics : NULL;
}

void handlers_handle(void *context, struct exchange *exchange, const struct request *request)
{
    struct handlers *handlers = context;
    struct buffer path;
    buffer_init(&path, REQUEST_HEAD_MAX);
    exchange_set_handler(exchange, "none");
    if (!path_decode(request->path, &path)) {
        answer_malformed(exchange, "malformed path");
        buffer_deinit(&path);
        return;
    }
    const struct route *route = find_route(options_of(handlers), buffer_slice(&path));
    buffer_deinit(&path);
    if (route) exchange_set_handler(exchange, route->name);

    bool reads = request->method == METHOD_GET || request->method == METHOD_HEAD;
    if (!route)
        answer_unknown(exchange, "not found", request->path);
    else if (!reads && !route->any_method)
        answer_method(exchange, "GET, HEAD", SLICE("expected GET or HEAD\n"));
    else
        route->handle(handlers, exchange, request);
}

void handlers_forget(struct handlers *handlers)
{
    kubelet_forget(&handlers->kubelet);
}
