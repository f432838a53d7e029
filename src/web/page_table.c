#include "web/page_table.h"

#include "base/container.h"
#include "base/readable.h"
#include "memcached/history.h"
#include "web/html.h"

#include <string.h>

/* A row of the table. */
struct row {
    const struct page_table *table;
    const struct target *target;
    const struct history *history; /* zeroed if the server was not asked yet */
};

/* --- How values are written --- */

static void write_ago(const struct row *row, uint64_t then_ms, struct buffer *out)
{
    uint64_t now_ms = row->table->now_ms;
    readable_duration(out, now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0);
}

static void write_state(const struct row *row, double value, struct buffer *out)
{
    const struct history *history = row->history;
    (void) value;
    if (!history->polled_ms) {
        buffer_append_string(out, "<b class=\"none\">not asked yet</b>");
        return;
    }
    bool up = history->state == TARGET_UP;
    buffer_printf(out, "<b%s>%s</b> <small>for ", up ? " class=\"up\"" : "",
                  target_state_name(history->state));
    write_ago(row, history->since_ms, out);
    buffer_append_string(out, ", asked ");
    write_ago(row, history->polled_ms, out);
    buffer_append_string(out, " ago");
    if (!up && history->vitals_ms) {
        buffer_append_string(out, ", figures from ");
        write_ago(row, history->vitals_ms, out);
        buffer_append_string(out, " ago");
    }
    buffer_append_string(out, "</small>");
    if (!history->error || !history->error[0]) return;
    buffer_append_string(out, "<span>");
    html_append(out, slice_of(history->error));
    buffer_append_string(out, "</span>");
}

/*
 * Units of the drawing of response times: between two polls, and its height without the margins. page.css
 * sets its size.
 */
#define STEP   2
#define HEIGHT 16

/* Draws the response times of the last polls as a line. The slowest poll reaches the top. */
static void write_time(const struct row *row, double value, struct buffer *out)
{
    const struct history *history = row->history;
    uint64_t most = 1, least = UINT64_MAX;
    for (size_t n = 0; n < history->count; n++) {
        uint64_t us = history_time_us(history, n);
        if (us > most) most = us;
        if (us < least) least = us;
    }
    buffer_printf(out, "%.1f ms", value / 1000);
    if (history->count < 2) return;
    buffer_printf(out, "<svg role=\"img\" aria-label=\"%.1f to %.1f ms in the last %d answers\"><path d=\"",
                  (double) least / 1000, (double) most / 1000, history->count);
    int before = 0;
    for (size_t n = 0; n < history->count; n++) {
        int y = 1 + HEIGHT - (int) (HEIGHT * history_time_us(history, n) / most);
        if (n == 0)
            buffer_printf(out, "M%d %dl", STEP * (HISTORY_POLLS - history->count), y);
        else
            buffer_printf(out, "%s%d%s%d", n > 1 ? " " : "", STEP, y < before ? "" : " ", y - before);
        before = y;
    }
    buffer_append_string(out, "\"/></svg>");
}

static void write_version(const struct row *row, double value, struct buffer *out)
{
    (void) value;
    html_append(out, slice_of(row->history->version[0] ? row->history->version : "–"));
}

static void write_memory(const struct row *row, double value, struct buffer *out)
{
    double limit = (double) history_vital(row->history, VITAL_LIMIT_BYTES);
    history_append_figure(row->history, FIGURE_BYTES, value, out);
    if (limit > 0)
        buffer_printf(out, "<i style=\"--w:%.0f%%\"></i>", value < limit ? 100 * value / limit : 100);
}

static void write_links(const struct row *row, double value, struct buffer *out)
{
    static const struct {
        const char *text, *query;
    } links[] = {{"Metrics", ""}, {"Settings", "&amp;collect[]=settings"}, {"Debug", "&amp;debug=true"}};
    const struct page_table *table = row->table;
    const struct target_set *target_set = table->target_set;
    unsigned group = row->target->group;
    const char *module =
        table->with_modules && group < target_set->group_count ? target_set->groups[group].module : "";
    (void) value;
    if (!table->scrape_path) {
        buffer_append_string(out, "–");
        return;
    }
    if (strcmp(module, "default") == 0) module = "";
    for (size_t n = 0; n < ARRAY_LEN(links); n++) {
        buffer_append_string(out, n ? " <a href=\"" : "<a href=\"");
        html_append_path(out, table->scrape_path);
        buffer_append_string(out, "?target=");
        html_append_query_value(out, slice_of(row->target->name));
        if (module[0]) {
            buffer_append_string(out, "&amp;module=");
            html_append_query_value(out, slice_of(module));
        }
        buffer_printf(out, "%s\">%s</a>", links[n].query, links[n].text);
    }
}

/* --- The columns --- */

enum alignment { TEXT, NUMBER }; /* numbers are aligned to the right */

#define NO_FIGURE (-1)

static const struct column {
    const char *title;
    enum alignment alignment;
    int figure; /* enum figure, by which the column sorts; NO_FIGURE: it does not, and is always written */
    void (*write)(const struct row *row, double value, struct buffer *out); /* NULL: the bare figure */
} columns[] = {
    /* The first cell of a row is its heading, which page_table_add writes. */
    {"Server", TEXT, NO_FIGURE, NULL},
    {"State", TEXT, FIGURE_STATE, write_state},
    {"Answer", NUMBER, FIGURE_TIME, write_time},
    {"Version", TEXT, NO_FIGURE, write_version},
    {"Uptime", NUMBER, FIGURE_UPTIME, NULL},
    {"Items", NUMBER, FIGURE_ITEMS, NULL},
    {"Memory", NUMBER, FIGURE_BYTES, write_memory},
    {"Hit ratio", NUMBER, FIGURE_HIT_RATIO, NULL},
    {"Gets/s", NUMBER, FIGURE_GETS, NULL},
    {"Sets/s", NUMBER, FIGURE_SETS, NULL},
    {"Evicted/s", NUMBER, FIGURE_EVICTIONS, NULL},
    {"Connections", NUMBER, FIGURE_CONNECTIONS, NULL},
    {"Look closer", TEXT, NO_FIGURE, write_links},
};

void page_table_style(struct buffer *out)
{
    buffer_append_string(out, "@media (max-width: 48rem) {\n");
    for (size_t n = 1; n < ARRAY_LEN(columns); n++)
        buffer_printf(out, "td:nth-child(%zu)::before { content: \"%s\"; }\n", n + 1, columns[n].title);
    buffer_append_string(out, "}\n@media (min-width: 48.01rem) {\n");
    for (size_t n = 1; n < ARRAY_LEN(columns); n++) {
        if (columns[n].alignment == NUMBER)
            buffer_printf(out, "tr > :nth-child(%zu) { text-align: right; }\n", n + 1);
    }
    buffer_append_string(out, "}\n");
}

void page_table_open(struct buffer *out)
{
    buffer_append_string(out, "<div class=\"scroll\" role=\"region\" aria-label=\"Servers\" tabindex=\"0\">\n"
                              "<table id=\"servers\">\n<thead><tr>");
    for (size_t n = 0; n < ARRAY_LEN(columns); n++)
        buffer_printf(out, "<th scope=\"col\"%s>%s</th>",
                      columns[n].figure != NO_FIGURE || n == 0 ? " data-sort" : "", columns[n].title);
    buffer_append_string(out, "</tr></thead>\n");
}

/* --- Rows --- */

/* Opens a table body for the group, if the group is a new one. A group without a name gets no heading. */
static void open_group(struct page_table *table, unsigned group, struct buffer *out)
{
    const struct target_set *target_set = table->target_set;
    if (table->open && table->group == group) return;
    if (table->open) buffer_append_string(out, "</tbody>\n");
    buffer_append_string(out, "<tbody>\n");
    table->open = true;
    table->group = group;
    if (group >= target_set->group_count || !target_set->groups[group].name[0]) return;
    buffer_printf(out, "<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"%zu\">Group ",
                  ARRAY_LEN(columns));
    html_append(out, slice_of(target_set->groups[group].name));
    buffer_append_string(out, "</th></tr>\n");
}

/* Appends the values by which the script sorts, in the order of the columns. A missing value is empty. */
static void append_keys(const struct row *row, struct buffer *out)
{
    for (size_t n = 1; n < ARRAY_LEN(columns); n++) {
        double value;
        if (n > 1) buffer_append_char(out, ',');
        if (columns[n].figure != NO_FIGURE &&
            history_figure(row->history, (enum figure) columns[n].figure, &value))
            buffer_printf(out, "%.6g", value);
    }
}

static void write_cell(const struct row *row, const struct column *column, struct buffer *out)
{
    double value = 0;
    enum figure figure = (enum figure) column->figure;
    if (column->figure != NO_FIGURE && !history_figure(row->history, figure, &value))
        buffer_append_string(out, "–");
    else if (column->write)
        column->write(row, value, out);
    else
        history_append_figure(row->history, figure, value, out);
}

void page_table_add(struct page_table *table, const struct target *target, struct buffer *out)
{
    const struct history *history = &target->client->history;
    struct row row = {table, target, history};
    open_group(table, target->group, out);
    buffer_printf(out, "<tr data-s=\"%s\" data-v=\"",
                  history->polled_ms && history->state == TARGET_UP ? "up" : "down");
    append_keys(&row, out);
    buffer_append_string(out, "\"><th scope=\"row\">");
    html_append(out, slice_of(target->name));
    buffer_append_string(out, "</th>");
    for (size_t n = 1; n < ARRAY_LEN(columns); n++) {
        buffer_append_string(out, "<td>");
        write_cell(&row, &columns[n], out);
        buffer_append_string(out, "</td>");
    }
    buffer_append_string(out, "</tr>\n");
}

void page_table_close(const struct page_table *table, struct buffer *out)
{
    if (table->open) buffer_append_string(out, "</tbody>\n");
    buffer_append_string(out, "</table>\n</div>\n");
}
