#include "gather/top_table.h"

#include "base/container.h"
#include "base/readable.h"
#include "base/utf8.h"
#include "outputs/terminal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Lines that are no servers: the sums, the titles, the keys. */
#define OTHER_LINES 3
/* Narrowest column of names. Columns on the right are left out before it gets narrower. */
#define NAME_MIN 16

/* --- The columns --- */

/* Memory with its share of the limit, which takes less room than the limit. */
static void write_share(const struct history *history, double value, struct buffer *out)
{
    double limit = (double) history_vital(history, VITAL_LIMIT_BYTES);
    readable_bytes(out, value);
    if (limit > 0) buffer_printf(out, " %3.0f %%", 100 * value / limit);
}

#define NO_FIGURE (-1)

/* Servers are sorted by a column's figure, greatest first, or by name. The key is upper-case in the title. */
static const struct column {
    const char *title;
    char key;  /* 0: no sorting */
    int width; /* characters; 0: what is left */
    bool left; /* aligned to the left */
    int figure;
    void (*write)(const struct history *history, double value, struct buffer *out); /* NULL: as usual */
} columns[] = {
    {"NAME", 'n', 0, true, NO_FIGURE, NULL},         {"STATE", 's', 14, true, FIGURE_STATE, NULL},
    {"ANSWER", 'a', 9, false, FIGURE_TIME, NULL},    {"GETS/S", 'g', 8, false, FIGURE_GETS, NULL},
    {"WRITES/S", 'w', 8, false, FIGURE_SETS, NULL},  {"EVICTED/S", 'e', 9, false, FIGURE_EVICTIONS, NULL},
    {"HITS", 'h', 7, false, FIGURE_HIT_RATIO, NULL}, {"MEMORY", 'm', 15, false, FIGURE_BYTES, write_share},
    {"ITEMS", 'i', 7, false, FIGURE_ITEMS, NULL},    {"CONNS", 'c', 11, false, FIGURE_CONNECTIONS, NULL},
    {"UPTIME", 'u', 12, false, FIGURE_UPTIME, NULL}, {"VERSION", 0, 8, true, NO_FIGURE, NULL},
};

bool top_view_key(struct top_view *view, int key)
{
    size_t page = view->rows > OTHER_LINES + 1 ? view->rows - OTHER_LINES - 1 : 1;
    for (unsigned n = 0; n < ARRAY_LEN(columns); n++) {
        if (!columns[n].key || columns[n].key != key) continue;
        view->reverse = view->sort == n && !view->reverse;
        view->sort = n;
        view->first = 0;
        return true;
    }
    if (key == 'r')
        view->reverse = !view->reverse;
    else if (key == 'd')
        view->hides_up = !view->hides_up;
    else if (key == KEY_HOME)
        view->first = 0;
    else if (key == KEY_END)
        view->first = SIZE_MAX / 2;
    else if (key == KEY_UP || key == 'k')
        view->first -= view->first > 0;
    else if (key == KEY_DOWN || key == 'j')
        view->first++;
    else if (key == KEY_PAGE_UP)
        view->first -= view->first < page ? view->first : page;
    else if (key == KEY_PAGE_DOWN)
        view->first += page;
    else
        return false;
    return true;
}

/* --- Sorting --- */

struct top_row {
    const struct target *target;
    const struct history *history;
    double value; /* of the column by which the rows are sorted */
    bool known;
};

/* Greatest value first, unknown values last, equal ones by name. */
static int compare_rows(const void *a, const void *b)
{
    const struct top_row *left = a, *right = b;
    if (left->known != right->known) return left->known ? -1 : 1;
    if (left->known && left->value != right->value) return left->value > right->value ? -1 : 1;
    return strcmp(left->target->name, right->target->name);
}

static void reverse_rows(struct top_row *rows, size_t count)
{
    for (size_t n = 0; n < count / 2; n++) {
        struct top_row moved = rows[n];
        rows[n] = rows[count - 1 - n];
        rows[count - 1 - n] = moved;
    }
}

/* Returns the rows that are to be shown, sorted; the caller frees them. Returns NULL when out of memory. */
static struct top_row *collect_rows(const struct top_view *view, const struct target_list *targets,
                                    size_t *count)
{
    struct top_row *rows = malloc((targets->count + 1) * sizeof(*rows));
    int figure = columns[view->sort].figure;
    *count = 0;
    for (size_t n = 0; rows && n < targets->count; n++) {
        const struct history *history = &targets->items[n]->client->history;
        bool up = history->polled_ms && history->state == TARGET_UP;
        if (view->hides_up && up) continue;
        struct top_row row = {targets->items[n], history, 0, false};
        if (figure != NO_FIGURE) row.known = history_figure(row.history, (enum figure) figure, &row.value);
        rows[(*count)++] = row;
    }
    if (!rows) return NULL;
    qsort(rows, *count, sizeof(*rows), compare_rows);
    if (view->reverse) reverse_rows(rows, *count);
    return rows;
}

/* --- Cells --- */

/* Appends `text`, cut and filled up to `width` characters. Each character is taken to be one cell wide. */
static void append_cell(struct buffer *out, struct slice text, size_t width, bool left)
{
    size_t length = 0, cut = text.len;
    for (struct slice rest = text; rest.len;) {
        size_t len = utf8_sequence(rest);
        if (length == width - 1) cut = text.len - rest.len;
        length++;
        rest = slice_from(rest, len ? len : 1);
    }
    bool too_long = length > width;
    if (length > width) length = width;
    for (size_t n = length; n < width && !left; n++) buffer_append_char(out, ' ');
    buffer_append(out, text.data, too_long ? cut : text.len);
    if (too_long) buffer_append_string(out, "…");
    for (size_t n = length; n < width && left; n++) buffer_append_char(out, ' ');
}

void top_append_line(struct buffer *out, const struct top_view *view, const char *color, struct slice text)
{
    if (view->color && *color) buffer_append_string(out, color);
    append_cell(out, text, view->columns, true);
    if (view->color && *color) buffer_append_string(out, "\x1b[0m");
    buffer_append_char(out, '\n');
}

/* Returns how many columns fit, and the width of the names. */
static unsigned fit_columns(const struct top_view *view, size_t *name_width)
{
    unsigned count = 1;
    size_t used = 0;
    while (count < ARRAY_LEN(columns) && NAME_MIN + used + 1 + (size_t) columns[count].width <= view->columns)
        used += 1 + (size_t) columns[count++].width;
    *name_width = view->columns > used ? view->columns - used : 1;
    return count;
}

static const char *color_of(const struct top_view *view, const struct history *history)
{
    if (!view->color) return "";
    return history->polled_ms == 0 ? "\x1b[2m" : history->state == TARGET_UP ? "\x1b[32m" : "\x1b[31m";
}

static void write_figure(const struct history *history, const struct column *column, struct buffer *out)
{
    double value;
    enum figure figure = (enum figure) column->figure;
    if (column->figure == NO_FIGURE)
        buffer_append_string(out, history->version[0] ? history->version : "–");
    else if (!history_figure(history, figure, &value))
        buffer_append_string(out, "–");
    else if (column->write)
        column->write(history, value, out);
    else
        history_append_figure(history, figure, value, out);
}

static void write_row(const struct top_view *view, const struct top_row *row, struct buffer *cell,
                      struct buffer *out)
{
    size_t name_width;
    unsigned count = fit_columns(view, &name_width);
    buffer_clear(cell);
    utf8_append_escaped(cell, slice_of(row->target->name));
    append_cell(out, buffer_slice(cell), name_width, true);
    for (unsigned n = 1; n < count; n++) {
        const struct column *column = &columns[n];
        const char *color = column->figure == FIGURE_STATE ? color_of(view, row->history) : "";
        buffer_clear(cell);
        write_figure(row->history, column, cell);
        buffer_append_char(out, ' ');
        buffer_append_string(out, color);
        append_cell(out, buffer_slice(cell), (size_t) column->width, column->left);
        if (*color) buffer_append_string(out, "\x1b[0m");
    }
    buffer_append_char(out, '\n');
}

/* --- The other lines --- */

static void write_sums(const struct top_view *view, const struct target_list *targets, double now_s,
                       struct buffer *cell, struct buffer *out)
{
    struct history_totals totals = {0};
    for (size_t n = 0; n < targets->count; n++) history_add_up(&totals, &targets->items[n]->client->history);
    buffer_clear(cell);
    readable_time(cell, now_s);
    buffer_printf(cell, "  %zu of %zu up, ", totals.up, totals.servers);
    readable_rate(cell, totals.rates[RATE_GETS]);
    buffer_append_string(cell, " gets/s, ");
    readable_rate(cell, totals.rates[RATE_SETS]);
    buffer_append_string(cell, " writes/s, ");
    readable_rate(cell, totals.rates[RATE_EVICTIONS]);
    buffer_append_string(cell, " evicted/s, hits ");
    readable_ratio(cell, totals.hits, totals.misses);
    buffer_append_string(cell, ", ");
    readable_bytes(cell, (double) totals.bytes);
    buffer_append_string(cell, " of ");
    readable_bytes(cell, (double) totals.limit);
    buffer_append_string(cell, ", ");
    readable_count(cell, (double) totals.items);
    buffer_append_string(cell, " items");
    top_append_line(out, view, "\x1b[1m", buffer_slice(cell));
}

static void write_titles(const struct top_view *view, struct buffer *cell, struct buffer *out)
{
    size_t name_width;
    unsigned count = fit_columns(view, &name_width);
    buffer_clear(cell);
    for (unsigned n = 0; n < count; n++) {
        char title[16];
        snprintf(title, sizeof(title), "%s%s", columns[n].title,
                 n != view->sort || !view->rows ? ""
                 : view->reverse                ? "▲"
                                                : "▼");
        if (n) buffer_append_char(cell, ' ');
        append_cell(cell, slice_of(title), n ? (size_t) columns[n].width : name_width, columns[n].left);
    }
    top_append_line(out, view, "\x1b[7m", buffer_slice(cell));
}

static void write_keys(const struct top_view *view, size_t shown, size_t count, struct buffer *cell,
                       struct buffer *out)
{
    buffer_clear(cell);
    if (count == 0)
        buffer_append_string(cell, view->hides_up ? "every server is up" : "no servers");
    else
        buffer_printf(cell, "%zu to %zu of %zu", view->first + 1, view->first + shown, count);
    buffer_append_string(cell, "  sort:");
    for (size_t n = 0; n < ARRAY_LEN(columns); n++) {
        if (columns[n].key) buffer_printf(cell, " %c", columns[n].key);
    }
    buffer_printf(cell, ", again or r: reverse  d: %s  space: ask now  q: quit",
                  view->hides_up ? "all" : "only down");
    top_append_line(out, view, "\x1b[2m", buffer_slice(cell));
    out->len--; /* the last line of a screen has no end */
}

void top_table_write(struct top_view *view, const struct target_list *targets, double now_s,
                     struct buffer *out)
{
    size_t count, room = SIZE_MAX;
    struct top_row *rows = collect_rows(view, targets, &count);
    struct buffer cell;
    buffer_init(&cell, 64 * 1024);
    if (view->rows) room = view->rows > OTHER_LINES ? view->rows - OTHER_LINES : 1;
    if (room >= count)
        view->first = 0;
    else if (view->first > count - room)
        view->first = count - room;
    size_t shown = count - view->first < room ? count - view->first : room;
    write_sums(view, targets, now_s, &cell, out);
    write_titles(view, &cell, out);
    for (size_t n = 0; rows && n < shown; n++) write_row(view, &rows[view->first + n], &cell, out);
    if (view->rows) write_keys(view, shown, count, &cell, out);
    if (!rows || cell.failed) out->failed = true;
    buffer_deinit(&cell);
    free(rows);
}
