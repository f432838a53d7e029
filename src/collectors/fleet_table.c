#include "collectors/fleet_table.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADS_MAX (FAMILIES_MAX * 1024)

struct fleet_table fleet_table;

static const struct family unmapped = {"memcached_unmapped_stat",
                                       "A numeric stat that this version of the exporter has no metric for.",
                                       METRIC_UNKNOWN, "command,stat"};

/*
 * Named "text", because an info metric has the name without "_info". memcached_unmapped_stat_info would have
 * the name of the family above.
 */
static const struct family unmapped_text = {
    "memcached_unmapped_text_info", "A stat with a text that this version of the exporter has no metric for.",
    METRIC_INFO, "command,stat,value"};

/* The last family, because only at its end the walk knows what it has left out. */
static const struct family truncated = {"memcached_target_truncated",
                                        "Stats in this poll that were left out: the server has more than the "
                                        "exporter takes of one, or the answer "
                                        "would have come too late.",
                                        METRIC_GAUGE, ""};

static void append_label_name(struct table_family *family, struct slice name)
{
    size_t len = strlen(family->labels);
    int added =
        snprintf(family->labels + len, LABEL_NAMES_MAX - len, "%s%.*s", len ? "," : "", SLICE_ARG(name));
    assert(len + (size_t) added < LABEL_NAMES_MAX);
    (void) added;
}

/* Appends the names of a set of constant labels. Their values contain no comma. */
static void append_label_names(struct table_family *family, struct slice set)
{
    while (set.len) {
        struct slice label = slice_cut(&set, ',');
        append_label_name(family, slice_cut(&label, '='));
    }
}

/* Returns the offset at which a label belongs in a set of constant labels, which are sorted by name. */
static size_t find_place_of(const char *name, struct slice set)
{
    size_t at = 0;
    for (struct slice rest = set; rest.len;) {
        struct slice label = slice_cut(&rest, ','), other = slice_cut(&label, '=');
        if (strncmp(other.data, name, other.len) >= 0) break;
        at = set.len - rest.len;
    }
    return at;
}

/* Labels are sorted by name, like in the official exporter. */
static struct row_shape shape_of(const struct stat_row *row)
{
    const char *number = stats_number_label(row);
    struct slice set = slice_of(row->labels);
    struct row_shape shape = {.before = set};
    if (!number) return shape;
    size_t at = find_place_of(number, set);
    shape.number = slice_of(number);
    shape.before.len = at && at < set.len ? at - 1 : at; /* excludes the comma */
    shape.after = slice_from(set, at);
    return shape;
}

static enum metric_type type_of(enum stat_kind kind)
{
    switch (kind) {
    case STAT_COUNTER:
        return METRIC_COUNTER;
    case STAT_NAMED_COUNTER:
        return METRIC_NAMED_COUNTER;
    case STAT_INFO:
        return METRIC_INFO;
    case STAT_GAUGE:
        break;
    }
    return METRIC_GAUGE;
}

/* One switch turns off all metrics of slab classes, including those whose numbers come from `stats`. */
static unsigned shown_by(const struct stat_row *row)
{
    if (!slice_starts(slice_of(row->family), "memcached_slab_")) return COMMAND_BIT(row->command);
    if (row->command != COMMAND_STATS) return BY_CLASS(COMMAND_BIT(row->command));
    return BY_CLASS(COMMAND_BIT(COMMAND_ITEMS) | COMMAND_BIT(COMMAND_SLABS));
}

/* Adds the next row to the family. */
static void add_row(struct table_family *family, uint16_t row)
{
    enum metric_type type = type_of(stats_row(row)->kind);
    family->end = (uint16_t) (row + 1);
    if (type == family->family.type) return;
    family->turn = row;
    family->family.type = type;
}

static void make_families(void)
{
    for (uint16_t row = 0; row < stats_count(); row++) {
        const struct stat_row *stat = stats_row(row);
        struct table_family *last = fleet_table.count ? &fleet_table.families[fleet_table.count - 1] : NULL;
        struct row_shape *shape = &fleet_table.shapes[row];
        if (!stat->family) continue;
        *shape = shape_of(stat);
        shape->shown_by = shown_by(stat);
        if (last && strcmp(last->family.name, stat->family) == 0) {
            add_row(last, row);
            continue;
        }
        last = &fleet_table.families[fleet_table.count++];
        append_label_names(last, shape->before);
        append_label_names(last, shape->number);
        append_label_names(last, shape->after);
        if (stat->label) append_label_name(last, slice_of(stat->label));
        last->family = (struct family){stat->family, stat->help, type_of(stat->kind), last->labels};
        last->early = last->family;
        last->first = last->turn = row;
        last->end = (uint16_t) (row + 1);
    }
}

/* Makes the heads of all families in advance. They are half of the answer for a single server. */
static void make_heads(size_t count)
{
    struct buffer *texts = &fleet_table.head_texts;
    size_t ends[FAMILIES_MAX][FORMAT_COUNT], start = 0;
    buffer_init(texts, HEADS_MAX);
    for (size_t n = 0; n < count; n++) {
        for (enum format format = 0; format < FORMAT_COUNT; format++) {
            family_append_head(fleet_table.pointers[n], format, texts);
            ends[n][format] = texts->len;
        }
    }
    for (size_t n = 0; n < count && !texts->failed; n++) {
        for (enum format format = 0; format < FORMAT_COUNT; format++) {
            fleet_table.heads[n].text[format] = (struct slice){texts->data + start, ends[n][format] - start};
            start = ends[n][format];
        }
    }
}

const struct collector *fleet_collector(void)
{
    size_t count = 0;
    if (fleet_table.count) return &fleet_table.collector;
    make_families();
    for (size_t n = 0; n < OUTCOME_FAMILIES; n++) fleet_table.pointers[count++] = &outcome_families[n].family;
    for (size_t n = 0; n < fleet_table.count; n++)
        fleet_table.pointers[count++] = &fleet_table.families[n].family;
    for (size_t n = 0; n < COUNTS_FAMILIES; n++) fleet_table.pointers[count++] = &counts_families[n].family;
    fleet_table.pointers[count++] = &unmapped;
    fleet_table.pointers[count++] = &unmapped_text;
    fleet_table.pointers[count++] = &truncated;
    fleet_table.collector = (struct collector){"fleet", fleet_table.pointers, count, ""};
    make_heads(count);
    return &fleet_table.collector;
}

/* --- Rows in the form of a format --- */

/* Returns false if a text of the server is among the labels of the row, or if it is never shown. */
static bool has_series(uint16_t row)
{
    return stats_row(row)->family && !stats_row(row)->label;
}

static struct series_parts parts_of(uint16_t row)
{
    const struct row_shape *shape = &fleet_table.shapes[row];
    return (struct series_parts){stats_row(row)->family, shape->before, shape->number, shape->after};
}

/* Returns the bytes that the texts of all series need. */
static size_t texts_size(void)
{
    size_t size = 0;
    for (uint16_t row = 0; row < stats_count(); row++) {
        struct series_parts parts = parts_of(row);
        if (has_series(row)) size += series_size(&parts);
    }
    return size;
}

/* The texts are never freed: the series point into them. */
static struct fleet_row *make_rows(enum series_form form)
{
    struct fleet_row *rows = calloc(stats_count(), sizeof(rows[0]));
    struct buffer texts;
    buffer_init(&texts, texts_size());
    if (!rows || !buffer_reserve(&texts, texts.cap)) {
        free(rows);
        return NULL;
    }
    for (uint16_t row = 0; row < stats_count(); row++) {
        struct series_parts parts = parts_of(row);
        if (!has_series(row)) continue;
        rows[row].shown_by = fleet_table.shapes[row].shown_by;
        rows[row].series = series_make(form, &parts, &texts);
    }
    return rows;
}

const struct fleet_row *fleet_rows(enum series_form form)
{
    if (!fleet_table.rows[form]) fleet_table.rows[form] = make_rows(form);
    return fleet_table.rows[form];
}
