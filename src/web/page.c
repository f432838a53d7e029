#include "web/page.h"

#include "base/container.h"
#include "base/readable.h"
#include "base/version.h"
#include "memcached/history.h"
#include "page_files.h"
#include "web/html.h"
#include "web/page_table.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    struct producer producer;
    struct target_set *target_set; /* holds a reference */
    struct generation *generation; /* holds a reference */
    struct buffer metrics_path, scrape_path;
    bool has_reload, ready;
    struct reload_state reload;
    double now_s;
    size_t first, end; /* range of servers on this page; `end` is exclusive */
    size_t next;       /* next server to write; SIZE_MAX before the head is written */
    struct page_table table;
};

/* --- Totals --- */

static void write_totals(const struct page *page, struct buffer *out)
{
    const struct target_list *targets = &page->target_set->targets;
    struct history_totals totals = {0};
    for (size_t n = 0; n < targets->count; n++) history_add_up(&totals, &targets->items[n]->client->history);
    buffer_printf(out, "<dl class=\"totals\">\n<div><dt>Servers up</dt><dd>%zu of %zu</dd></div>\n",
                  totals.up, totals.servers);
    buffer_append_string(out, "<div><dt>Items</dt><dd>");
    readable_count(out, (double) totals.items);
    buffer_append_string(out, "</dd></div>\n<div><dt>Memory used</dt><dd>");
    readable_bytes(out, (double) totals.bytes);
    buffer_append_string(out, " of ");
    readable_bytes(out, (double) totals.limit);
    buffer_append_string(out, "</dd></div>\n<div><dt>Hit ratio</dt><dd>");
    readable_ratio(out, totals.hits, totals.misses);
    buffer_append_string(out, "</dd></div>\n<div><dt>Gets per second</dt><dd>");
    readable_rate(out, totals.rates[RATE_GETS]);
    buffer_append_string(out, "</dd></div>\n<div><dt>Sets per second</dt><dd>");
    readable_rate(out, totals.rates[RATE_SETS]);
    buffer_append_string(out, "</dd></div>\n<div><dt>Evictions per second</dt><dd>");
    readable_rate(out, totals.rates[RATE_EVICTIONS]);
    buffer_append_string(out, "</dd></div>\n</dl>\n");
}

/* --- The head of the page --- */

static void write_facts(const struct page *page, struct buffer *out)
{
    buffer_append_string(out, "<p class=\"faint\">As of ");
    readable_time(out, page->now_s);
    buffer_append_string(out, ". The page shows what the last scrapes have seen. Rates span "
                              "the last two polls.");
    if (!page->ready) buffer_append_string(out, " Discovery has not found its targets yet.");
    if (page->has_reload && page->reload.successful) {
        buffer_append_string(out, " Configuration loaded ");
        readable_time(out, page->reload.last_success_s);
        buffer_append_char(out, '.');
    } else if (page->has_reload) {
        buffer_append_string(out,
                             " <strong>The last reload of the configuration failed; the earlier one is in "
                             "force. The log says why.</strong>");
    }
    buffer_append_string(out, "</p>\n");
}

/* Most sources of targets that the page lists. */
#define SOURCES_MAX 10

static void write_source(const struct page *page, const struct generation_source *source, struct buffer *out)
{
    const struct discovery_state *state = source->state;
    double age_s = page->now_s - state->last_success_s;
    buffer_printf(out, "<li>%s ", state->kind);
    html_append(out, slice_of(state->subject));
    buffer_printf(out, ": %zu servers", state->targets);
    if (state->error[0]) {
        buffer_append_string(out, ". <strong>The last question failed:</strong> ");
        html_append(out, slice_of(state->error));
    } else if (!state->answered) {
        buffer_append_string(out, ", not answered yet");
    } else {
        buffer_append_string(out, ", answered ");
        readable_duration(out, age_s > 0 ? (uint64_t) age_s : 0);
        buffer_append_string(out, " ago");
    }
    buffer_append_string(out, "</li>\n");
}

static void write_sources(const struct page *page, struct buffer *out)
{
    size_t count = page->generation->provider_count, failed = 0;
    if (count == 0) return;
    for (size_t n = 0; n < count; n++)
        failed += generation_source(page->generation, n).state->error[0] != '\0';
    buffer_printf(out,
                  "<details class=\"faint\"%s><summary>Discovery: %zu sources, %zu failed</summary>\n<ul>\n",
                  failed ? " open" : "", count, failed);
    for (size_t n = 0; n < count && n < SOURCES_MAX; n++) {
        struct generation_source source = generation_source(page->generation, n);
        write_source(page, &source, out);
    }
    if (count > SOURCES_MAX)
        buffer_printf(out, "<li>%zu more, see memcached_exporter_discovery_* in the metrics</li>\n",
                      count - SOURCES_MAX);
    buffer_append_string(out, "</ul>\n</details>\n");
}

/* Appends the button that asks all servers anew. handlers.c answers its POST and leads back to this page. */
static void write_refresh(const struct page *page, struct buffer *out)
{
    buffer_printf(out,
                  "<form id=\"refresh\" method=\"post\" action=\"/?from=%zu\"><button>Ask all servers "
                  "now</button></form>\n",
                  page->first);
}

static void write_links(const struct page *page, struct buffer *out)
{
    buffer_append_string(out, "<nav aria-label=\"Endpoints\"><a href=\"");
    html_append_path(out, page->metrics_path.data);
    buffer_append_string(out, "\">Metrics of all servers</a> <a href=\"/sd\">Service discovery (JSON)</a> "
                              "<a href=\"/-/healthy\">Health</a> <a href=\"/-/ready\">Readiness</a></nav>\n");
}

static void write_head(const struct page *page, struct buffer *out)
{
    size_t count = page->target_set->targets.count;
    buffer_append_string(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                              "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                              "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                              "style-src 'unsafe-inline'; script-src '" PAGE_SCRIPT_HASH
                              "'; base-uri 'none'; form-action 'self'\">\n"
                              "<title>Memcached Fleet Exporter</title>\n<style>\n");
    buffer_append_string(out, page_css);
    page_table_style(out);
    buffer_append_string(out, "</style>\n</head>\n<body>\n<header>\n<div class=\"title\"><h1>Memcached Fleet "
                              "Exporter</h1>\n");
    if (count) write_refresh(page, out);
    buffer_append_string(out, "</div>\n");
    write_facts(page, out);
    write_sources(page, out);
    write_links(page, out);
    buffer_append_string(out, "</header>\n<main>\n");
    if (count == 0) {
        buffer_append_string(out, "<p>No server is configured. Servers come from --memcached.address, from "
                                  "--config.file, or from the URL of a scrape.</p>\n");
        return;
    }
    write_totals(page, out);
    buffer_append_string(
        out,
        "<form id=\"tools\" class=\"tools\" hidden><label>Search in names <input id=\"text\" "
        "type=\"search\"></label>"
        "<label>State <select id=\"state\"><option value=\"\">all</option><option value=\"up\">up</option>"
        "<option value=\"down\">not up</option></select></label>"
        "<p id=\"shown\" class=\"faint\" role=\"status\"></p></form>\n");
}

/* --- The end --- */

static void write_pages(const struct page *page, struct buffer *out)
{
    size_t count = page->target_set->targets.count;
    if (count <= PAGE_SERVERS) return;
    buffer_append_string(out, "<nav aria-label=\"Pages\"><span class=\"faint\">Servers:</span> ");
    for (size_t from = 0; from < count; from += PAGE_SERVERS) {
        size_t to = count - from < PAGE_SERVERS ? count : from + PAGE_SERVERS;
        buffer_printf(out, "<a href=\"/?from=%zu\"%s>%zu to %zu</a> ", from,
                      from == page->first ? " aria-current=\"page\"" : "", from + 1, to);
    }
    buffer_append_string(out, "</nav>\n");
}

static void write_end(const struct page *page, struct buffer *out)
{
    if (page->target_set->targets.count) page_table_close(&page->table, out);
    write_pages(page, out);
    buffer_printf(out, "</main>\n<footer class=\"faint\">Memcached Fleet Exporter %s, revision %s</footer>\n",
                  build_info.version, build_info.revision);
    buffer_append_string(out, "<script>");
    buffer_append_string(out, page_js);
    buffer_append_string(out, "</script>\n</body>\n</html>\n");
}

/* --- Creation and release --- */

static bool fill_page(struct producer *producer, struct buffer *out, size_t want)
{
    struct page *page = container_of(producer, struct page, producer);
    const struct target_list *targets = &page->target_set->targets;
    size_t start = out->len;
    if (page->next == SIZE_MAX) {
        write_head(page, out);
        if (targets->count) page_table_open(out);
        page->next = page->first;
        return true;
    }
    while (page->next < page->end && out->len - start < want && !out->failed)
        page_table_add(&page->table, targets->items[page->next++], out);
    if (page->next < page->end) return true;
    write_end(page, out);
    return false;
}

static void release_page(struct producer *producer)
{
    struct page *page = container_of(producer, struct page, producer);
    target_set_release(page->target_set);
    generation_release(page->generation);
    buffer_deinit(&page->metrics_path);
    buffer_deinit(&page->scrape_path);
    free(page);
}

static void copy_path(struct buffer *to, const char *path)
{
    buffer_init(to, 64 * 1024);
    buffer_append(to, path, strlen(path) + 1);
}

struct producer *page_producer(const struct page_request *request)
{
    size_t count = request->target_set->targets.count;
    struct page *page = calloc(1, sizeof(*page));
    if (!page) return NULL;
    page->producer = (struct producer){fill_page, release_page};
    page->target_set = target_set_hold(request->target_set);
    page->generation = generation_hold(request->generation);
    copy_path(&page->metrics_path, request->options->telemetry_path);
    copy_path(&page->scrape_path, request->options->scrape_path);
    page->has_reload = request->reload != NULL;
    if (request->reload) page->reload = *request->reload;
    page->ready = request->ready;
    page->table = (struct page_table){
        .target_set = page->target_set,
        .scrape_path = request->options->scrape_endpoint ? page->scrape_path.data : NULL,
        .with_modules = request->with_modules,
        .now_ms = request->now_ms,
    };
    page->now_s = request->now_s;
    page->first = request->from < count ? request->from / PAGE_SERVERS * PAGE_SERVERS : 0;
    page->end = count - page->first < PAGE_SERVERS ? count : page->first + PAGE_SERVERS;
    page->next = SIZE_MAX;
    if (!page->metrics_path.failed && !page->scrape_path.failed) return &page->producer;
    release_page(&page->producer);
    return NULL;
}
