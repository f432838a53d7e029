#include "web/page.h"

#include "base/container.h"
#include "base/readable.h"
#include "base/version.h"
#include "memcached/history.h"
#include "page_files.h"
#include "web/html.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct page {
    struct producer producer;
    struct target_set *target_set; /* holds a reference */
    struct buffer metrics_path, scrape_path;
    bool has_scrape, has_reload, ready;
    struct reload_state reload;
    uint64_t now_ms;
    double now_s;
    size_t first, end; /* range of servers on this page; `end` is exclusive */
    size_t next;       /* next server to write; SIZE_MAX before the head is written */
    bool open;         /* the table body of a group is open */
    unsigned group;    /* group of the open table body */
};

/* --- Totals --- */

struct totals {
    size_t up, polled;
    uint64_t items, bytes, limit, hits, misses;
    double rates[RATE_COUNT];
};

/* Sums up all configured servers that are up. */
static struct totals add_up(const struct target_set *target_set)
{
    struct totals totals = {0};
    for (size_t n = 0; n < target_set->targets.count; n++) {
        const struct history *history = target_set->targets.items[n]->client->history;
        totals.polled += history != NULL;
        if (!history || history->state != TARGET_UP) continue;
        totals.up++;
        totals.items += history_vital(history, VITAL_ITEMS);
        totals.bytes += history_vital(history, VITAL_BYTES);
        totals.limit += history_vital(history, VITAL_LIMIT_BYTES);
        totals.hits += history_vital(history, VITAL_HITS);
        totals.misses += history_vital(history, VITAL_MISSES);
        for (size_t rate = 0; history->span_ms && rate < RATE_COUNT; rate++)
            totals.rates[rate] += (double) history->rates[rate];
    }
    return totals;
}

static void write_totals(const struct page *page, struct buffer *out)
{
    struct totals totals = add_up(page->target_set);
    buffer_printf(out, "<dl class=\"totals\">\n<div><dt>Servers up</dt><dd>%zu of %zu</dd></div>\n",
                  totals.up, page->target_set->targets.count);
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
    buffer_append_string(out, ". The page shows what the last scrapes have seen.");
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
                              "'; base-uri 'none'; form-action 'none'\">\n"
                              "<title>Memcached Fleet Exporter</title>\n<style>\n");
    buffer_append_string(out, page_css);
    buffer_append_string(out, "</style>\n</head>\n<body>\n<header>\n<h1>Memcached Fleet Exporter</h1>\n");
    write_facts(page, out);
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

/* --- The table --- */

static const struct column {
    const char *name;
    bool number, sorts;
} columns[] = {
    {"Server", false, true},       {"State", false, true},      {"Answer", true, true},
    {"Version", false, false},     {"Uptime", true, true},      {"Items", true, true},
    {"Memory", true, true},        {"Hit ratio", true, true},   {"Gets/s", true, true},
    {"Sets/s", true, true},        {"Evictions/s", true, true}, {"Connections", true, true},
    {"Look closer", false, false},
};

static void open_table(struct buffer *out)
{
    buffer_append_string(out, "<div class=\"scroll\" role=\"region\" aria-label=\"Servers\" tabindex=\"0\">\n"
                              "<table id=\"servers\">\n<thead><tr>");
    for (size_t n = 0; n < ARRAY_LEN(columns); n++)
        buffer_printf(out, "<th scope=\"col\"%s%s>%s</th>", columns[n].number ? " class=\"n\"" : "",
                      columns[n].sorts ? " data-sort" : "", columns[n].name);
    buffer_append_string(out, "</tr></thead>\n");
}

/* Opens the next cell of a row and increments `column`. `value` is the key for sorting. */
static void open_cell(struct buffer *out, size_t *column, bool known, double value)
{
    const struct column *is = &columns[++*column];
    buffer_printf(out, "<td data-l=\"%s\"%s", is->name, is->number ? " class=\"n\"" : "");
    if (known) buffer_printf(out, " data-v=\"%.9g\"", value);
    buffer_append_string(out, ">");
    if (!known) buffer_append_string(out, "–");
}

static void close_cell(struct buffer *out)
{
    buffer_append_string(out, "</td>");
}

static void write_state(const struct page *page, const struct history *history, struct buffer *out)
{
    if (!history) {
        buffer_append_string(out, "<span><span class=\"state none\">not asked yet</span></span>");
        return;
    }
    const char *name = target_state_name(history->state);
    buffer_printf(out, "<span><span class=\"state %s\">%s</span> <small>for ",
                  history->state == TARGET_UP ? "up" : "down", name);
    readable_duration(out, (page->now_ms - history->since_ms) / 1000);
    buffer_append_string(out, ", asked ");
    readable_duration(out, (page->now_ms - history->polled_ms) / 1000);
    buffer_append_string(out, " ago</small>");
    if (history->error && history->error[0]) {
        buffer_append_string(out, "<br><span class=\"why\">");
        html_append(out, slice_of(history->error));
        buffer_append_string(out, "</span>");
    }
    buffer_append_string(out, "</span>");
}

/* Draws the response times of the last polls as a line. The slowest poll reaches the top. */
static void write_times(const struct history *history, struct buffer *out)
{
    uint64_t most = 1, least = UINT64_MAX, last = history_time_us(history, history->count - 1U);
    for (size_t n = 0; n < history->count; n++) {
        uint64_t us = history_time_us(history, n);
        if (us > most) most = us;
        if (us < least) least = us;
    }
    buffer_printf(out, "<span>%.1f ms", (double) last / 1000);
    if (history->count > 1) {
        buffer_printf(
            out,
            "<svg viewBox=\"0 0 %d 18\" preserveAspectRatio=\"none\" role=\"img\" aria-label=\"last %d "
            "answers: %.1f to %.1f ms\"><polyline points=\"",
            HISTORY_POLLS - 1, history->count, (double) least / 1000, (double) most / 1000);
        for (size_t n = 0; n < history->count; n++)
            buffer_printf(out, "%zu,%.1f ", HISTORY_POLLS - history->count + n,
                          17 - 16 * (double) history_time_us(history, n) / (double) most);
        buffer_append_string(out, "\"/></svg>");
    }
    buffer_append_string(out, "</span>");
}

static void write_bar(struct buffer *out, uint64_t used, uint64_t limit)
{
    double share = limit ? 100 * (double) used / (double) limit : 0;
    buffer_printf(out, "<span class=\"bar\"><i style=\"width:%.0f%%\"></i></span>",
                  share > 100 ? 100 : share);
}

static void write_memory(const struct history *history, struct buffer *out)
{
    uint64_t used = history_vital(history, VITAL_BYTES), limit = history_vital(history, VITAL_LIMIT_BYTES);
    buffer_append_string(out, "<span>");
    readable_bytes(out, (double) used);
    if (limit) {
        buffer_append_string(out, " of ");
        readable_bytes(out, (double) limit);
        write_bar(out, used, limit);
    }
    buffer_append_string(out, "</span>");
}

static void write_connections(const struct history *history, struct buffer *out)
{
    buffer_append_u64(out, history_vital(history, VITAL_CONNECTIONS));
    if (!history_knows(history, VITAL_MAX_CONNECTIONS)) return;
    buffer_append_string(out, " of ");
    buffer_append_u64(out, history_vital(history, VITAL_MAX_CONNECTIONS));
}

static void write_target_link(const struct page *page, const struct target *target, const char *more,
                              const char *text, struct buffer *out)
{
    buffer_append_string(out, "<a href=\"");
    html_append_path(out, page->scrape_path.data);
    buffer_append_string(out, "?target=");
    html_append_query_value(out, slice_of(target->name));
    buffer_printf(out, "%s\">%s<span class=\"hidden\"> of ", more, text);
    html_append(out, slice_of(target->name));
    buffer_append_string(out, "</span></a> ");
}

/* Writes the figures from the last time that the server was up. */
static void write_figures(const struct history *history, size_t *column, struct buffer *out)
{
    static const struct history nothing;
    const struct history *of = history && history->vitals_ms ? history : &nothing;
    uint64_t hits = history_vital(of, VITAL_HITS), misses = history_vital(of, VITAL_MISSES);
    bool known = history_knows(of, VITAL_UPTIME);
    open_cell(out, column, known, (double) history_vital(of, VITAL_UPTIME));
    if (known) readable_duration(out, history_vital(of, VITAL_UPTIME));
    close_cell(out);
    known = history_knows(of, VITAL_ITEMS);
    open_cell(out, column, known, (double) history_vital(of, VITAL_ITEMS));
    if (known) readable_count(out, (double) history_vital(of, VITAL_ITEMS));
    close_cell(out);
    known = history_knows(of, VITAL_BYTES);
    open_cell(out, column, known, (double) history_vital(of, VITAL_BYTES));
    if (known) write_memory(of, out);
    close_cell(out);
    known = hits + misses > 0;
    open_cell(out, column, known, known ? (double) hits / ((double) hits + (double) misses) : 0);
    if (known) readable_ratio(out, hits, misses);
    close_cell(out);
    for (size_t rate = 0; rate < RATE_COUNT; rate++) {
        open_cell(out, column, of->span_ms, (double) of->rates[rate]);
        if (of->span_ms) readable_rate(out, (double) of->rates[rate]);
        close_cell(out);
    }
    known = history_knows(of, VITAL_CONNECTIONS);
    open_cell(out, column, known, (double) history_vital(of, VITAL_CONNECTIONS));
    if (known) write_connections(of, out);
    close_cell(out);
}

static void write_server(const struct page *page, const struct target *target, struct buffer *out)
{
    const struct history *history = target->client->history;
    bool up = history && history->state == TARGET_UP;
    size_t column = 0;
    buffer_printf(out, "<tr data-s=\"%s\"><th scope=\"row\">", up ? "up" : "down");
    html_append(out, slice_of(target->name));
    buffer_append_string(out, "</th>");
    open_cell(out, &column, true, history ? (double) history->state : -1);
    write_state(page, history, out);
    close_cell(out);
    open_cell(out, &column, history, history ? (double) history_time_us(history, history->count - 1U) : 0);
    if (history) write_times(history, out);
    close_cell(out);
    open_cell(out, &column, history && history->version[0], 0);
    if (history) html_append(out, slice_of(history->version));
    close_cell(out);
    write_figures(history, &column, out);
    open_cell(out, &column, page->has_scrape, 0);
    if (page->has_scrape) {
        buffer_append_string(out, "<span>");
        write_target_link(page, target, "", "Metrics", out);
        write_target_link(page, target, "&amp;collect[]=settings", "Settings", out);
        buffer_append_string(out, "</span>");
    }
    close_cell(out);
    buffer_append_string(out, "</tr>\n");
}

/* Opens a table body for the group, if the group is a new one. A group without a name gets no heading. */
static void open_group(struct page *page, unsigned group, struct buffer *out)
{
    const struct target_set *target_set = page->target_set;
    if (page->open && page->group == group) return;
    if (page->open) buffer_append_string(out, "</tbody>\n");
    buffer_append_string(out, "<tbody>\n");
    page->open = true;
    page->group = group;
    if (group >= target_set->group_count || !target_set->groups[group].name[0]) return;
    buffer_printf(out, "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%zu\">Group ",
                  ARRAY_LEN(columns));
    html_append(out, slice_of(target_set->groups[group].name));
    buffer_append_string(out, "</th></tr>\n");
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
    if (page->open) buffer_append_string(out, "</tbody>\n");
    if (page->target_set->targets.count) buffer_append_string(out, "</table>\n</div>\n");
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
        if (targets->count) open_table(out);
        page->next = page->first;
        return true;
    }
    while (page->next < page->end && out->len - start < want && !out->failed) {
        const struct target *target = targets->items[page->next++];
        open_group(page, target->group, out);
        write_server(page, target, out);
    }
    if (page->next < page->end) return true;
    write_end(page, out);
    return false;
}

static void release_page(struct producer *producer)
{
    struct page *page = container_of(producer, struct page, producer);
    target_set_release(page->target_set);
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
    copy_path(&page->metrics_path, request->options->telemetry_path);
    copy_path(&page->scrape_path, request->options->scrape_path);
    page->has_scrape = request->options->scrape_endpoint;
    page->has_reload = request->reload != NULL;
    if (request->reload) page->reload = *request->reload;
    page->ready = request->ready;
    page->now_ms = request->now_ms;
    page->now_s = request->now_s;
    page->first = request->from < count ? request->from / PAGE_SERVERS * PAGE_SERVERS : 0;
    page->end = count - page->first < PAGE_SERVERS ? count : page->first + PAGE_SERVERS;
    page->next = SIZE_MAX;
    if (!page->metrics_path.failed && !page->scrape_path.failed) return &page->producer;
    release_page(&page->producer);
    return NULL;
}
