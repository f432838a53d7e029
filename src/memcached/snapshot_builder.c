#include "memcached/snapshot_builder.h"

#include "base/array.h"
#include "base/number.h"
#include "memcached/name_set.h"
#include "memcached/value.h"

#include <stdlib.h>
#include <string.h>

/* A current memcached sends some 370 lines that become samples. */
#define FIRST_ENTRIES 256

/* Sums of numbers of the same name are written behind the lines, and may take as much room as those. */
#define TEXT_CAP (2 * SNAPSHOT_TEXT_MAX)

void snapshot_builder_init(struct snapshot_builder *builder, size_t max_reply)
{
    *builder = (struct snapshot_builder){.last_row = STAT_UNMAPPED, .max_reply = max_reply};
    buffer_init(&builder->text, TEXT_CAP);
}

void snapshot_builder_deinit(struct snapshot_builder *builder)
{
    buffer_deinit(&builder->text);
    free(builder->entries);
    builder->entries = NULL;
    builder->count = builder->size = 0;
}

/* --- Filling --- */

/* A line of the shortest stats has as many bytes. */
#define LINE_MIN 16

static size_t max_entries(const struct snapshot_builder *builder)
{
    size_t lines = builder->max_reply / LINE_MIN + FIRST_ENTRIES;
    return lines < SNAPSHOT_SERIES_MAX ? lines : SNAPSHOT_SERIES_MAX;
}

static size_t max_text(const struct snapshot_builder *builder)
{
    return builder->max_reply < SNAPSHOT_TEXT_MAX ? builder->max_reply : SNAPSHOT_TEXT_MAX;
}

/* The name that becomes a label; false when it is too long. */
static bool append_name(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                        struct slice key)
{
    size_t start = builder->text.len;
    if (stats_is_unmapped(entry->row))
        name_append(&builder->text, key);
    else if (stats_traits(entry->row)->scope == SCOPE_NAME)
        name_append(&builder->text, slice_from(key, strlen(stats_row(entry->row)->key)));
    entry->key_len = (uint16_t) (builder->text.len - start);
    return builder->text.len - start <= UINT16_MAX;
}

/* Completes the entry behind the last one, and keeps it, if there is room for its text. */
static bool append_entry(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                         struct slice key, struct slice value)
{
    entry->text = (uint32_t) builder->text.len;
    if (!append_name(builder, entry, key) || value.len > UINT16_MAX) return false;
    if (builder->text.len + value.len > max_text(builder)) {
        builder->text.len = entry->text;
        builder->cut++;
        return true;
    }
    char *at = buffer_reserve(&builder->text, value.len);
    if (!at) return false;
    memcpy(at, value.data, value.len);
    builder->text.len += value.len;
    entry->value_len = (uint16_t) value.len;
    builder->count++;
    return true;
}

/* The key is cut where it is too long. */
static void remark(struct snapshot_builder *builder, enum remark_kind kind, unsigned command,
                   struct slice key)
{
    struct snapshot_remark *remark = &builder->remark;
    if (remark->kind >= kind) return;
    *remark = (struct snapshot_remark){.kind = (uint8_t) kind, .command = (uint8_t) command};
    memcpy(remark->key, key.data, key.len < sizeof(remark->key) ? key.len : sizeof(remark->key) - 1);
}

void snapshot_builder_reject(struct snapshot_builder *builder, enum command command, struct slice key)
{
    builder->parse_errors++;
    remark(builder, REMARK_UNREADABLE, command, key);
}

static bool append_unmapped(struct snapshot_builder *builder, struct snapshot_builder_entry *entry,
                            struct slice key, struct slice value)
{
    bool on;
    if (value_read_switch(value, &on)) {
        value = on ? SLICE("1") : SLICE("0");
    } else if (!number_is_decimal(value)) {
        if (value_judge(FORM_TEXT, value) != VALUE_KEEP) return true;
        entry->row = STAT_UNMAPPED_TEXT;
    }
    if (value.len > UNMAPPED_TEXT_MAX) {
        builder->cut++;
        return true;
    }
    if (builder->unmapped == max_entries(builder) / 2) {
        builder->cut++;
        return true;
    }
    builder->unmapped++;
    return append_entry(builder, entry, key, value);
}

bool snapshot_builder_add(struct snapshot_builder *builder, enum command command, struct slice key,
                          struct slice value)
{
    if (builder->count == builder->size) {
        if (builder->size && builder->size == max_entries(builder)) {
            builder->cut++;
            return true;
        }
        if (!array_reserve(&builder->entries, builder->count, &builder->size, FIRST_ENTRIES,
                           max_entries(builder)))
            return false;
    }
    struct snapshot_builder_entry *entry = &builder->entries[builder->count];
    if (builder->last_command != command) builder->last_row = STAT_UNMAPPED;
    builder->last_command = (uint8_t) command;
    entry->row = stats_find_after(builder->last_row, command, key, &entry->number);
    entry->command = (uint8_t) command;
    if (entry->row == STAT_UNMAPPED) return append_unmapped(builder, entry, key, value);

    builder->last_row = entry->row;
    switch (value_judge(stats_traits(entry->row)->form, value)) {
    case VALUE_KEEP:
        return append_entry(builder, entry, key, value);
    case VALUE_WRONG:
        snapshot_builder_reject(builder, command, key);
        break;
    case VALUE_ABSENT:
        break;
    }
    return true;
}

void snapshot_builder_drop(struct snapshot_builder *builder, enum command command)
{
    size_t kept = 0;
    for (size_t i = 0; i < builder->count; i++) {
        if (builder->entries[i].command != command) builder->entries[kept++] = builder->entries[i];
    }
    builder->count = kept;
}

bool snapshot_builder_copy(struct snapshot_builder *copy, const struct snapshot_builder *original)
{
    copy->parse_errors = original->parse_errors;
    copy->cut = original->cut;
    copy->remark = original->remark;
    buffer_append_slice(&copy->text, buffer_slice(&original->text));
    if (copy->text.failed) return false;
    if (original->count == 0) return true;

    copy->entries = malloc(original->count * sizeof(copy->entries[0]));
    if (!copy->entries) return false;
    memcpy(copy->entries, original->entries, original->count * sizeof(copy->entries[0]));
    copy->count = copy->size = original->count;
    return true;
}

/* --- Sorting --- */

/* 0 when they are the same stat. Only entries of unmapped stats and of names have a key. */
static int compare_stats(const struct snapshot_builder *builder, const struct snapshot_builder_entry *a,
                         const struct snapshot_builder_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->command != b->command) return a->command < b->command ? -1 : 1;
    return name_compare(snapshot_builder_key(builder, a), snapshot_builder_key(builder, b));
}

/* Every entry has at least one byte of text, so that the offset tells which one came first. */
static int compare_entries(const void *left, const void *right, void *builder)
{
    const struct snapshot_builder_entry *a = left, *b = right;
    int order = compare_stats(builder, a, b);
    return order ? order : (a->text > b->text) - (a->text < b->text);
}

/* Rows by number, those of unmapped stats behind all others. */
#define PLACES_MAX (STAT_ROWS_MAX + 2)

static unsigned place_of_row(uint16_t row)
{
    return stats_is_unmapped(row) ? stats_count() + (row - STAT_UNMAPPED) : row;
}

/* Where the entries of each row begin. */
static void count_rows(const struct snapshot_builder *builder, uint32_t starts[PLACES_MAX])
{
    const unsigned places = stats_count() + 2;
    uint32_t start = 0;
    memset(starts, 0, places * sizeof(starts[0]));
    for (size_t i = 0; i < builder->count; i++) starts[place_of_row(builder->entries[i].row)]++;
    for (unsigned place = 0; place < places; place++) {
        uint32_t count = starts[place];
        starts[place] = start;
        start += count;
    }
}

/* By row, each one's entries in the order of their arrival: as many steps as there are entries. */
static bool sort_rows(struct snapshot_builder *builder)
{
    uint32_t places[PLACES_MAX];
    struct snapshot_builder_entry *sorted = malloc(builder->count * sizeof(sorted[0]));
    if (!sorted) return false;
    count_rows(builder, places);
    for (size_t i = 0; i < builder->count; i++)
        sorted[places[place_of_row(builder->entries[i].row)]++] = builder->entries[i];
    free(builder->entries);
    builder->entries = sorted;
    builder->size = builder->count;
    return true;
}

enum row_order { ROW_UNIQUE, ROW_WITH_DOUBLES, ROW_MIXED };

/* The end of the row that begins there; tells in which order its entries are. */
static size_t end_of_row(const struct snapshot_builder *builder, size_t at, enum row_order *row_order)
{
    const struct snapshot_builder_entry *entry = &builder->entries[at],
                                        *end = &builder->entries[builder->count];
    *row_order = ROW_UNIQUE;
    while (++entry < end && entry->row == entry[-1].row) {
        if (entry->number > entry[-1].number || *row_order == ROW_MIXED) continue;
        int order = compare_stats(builder, entry - 1, entry);
        if (order > 0) *row_order = ROW_MIXED;
        if (order == 0) *row_order = ROW_WITH_DOUBLES;
    }
    return (size_t) (entry - builder->entries);
}

/*
 * Adds a number to an entry of the same name, which moves to the end of the text; false if there is no room.
 */
static bool add_up(struct snapshot_builder *builder, struct snapshot_builder_entry *sum,
                   const struct snapshot_builder_entry *entry)
{
    uint64_t a = 0, b = 0;
    struct buffer *text = &builder->text;
    size_t start = text->len, key = sum->text;
    number_parse_u64(snapshot_builder_value(builder, sum), &a);
    number_parse_u64(snapshot_builder_value(builder, entry), &b);
    char *copy = buffer_reserve(text, sum->key_len);
    if (!copy) return false;
    memcpy(copy, text->data + key, sum->key_len);
    text->len += sum->key_len;
    buffer_append_u64(text, a + b);
    if (text->failed) return false;
    sum->text = (uint32_t) start;
    sum->value_len = (uint16_t) (text->len - start - sum->key_len);
    return true;
}

/* What becomes of a stat that has been given before. */
static void take_double(struct snapshot_builder *builder, struct snapshot_builder_entry *first,
                        const struct snapshot_builder_entry *entry)
{
    bool mapped = !stats_is_unmapped(entry->row);
    if (mapped && stats_row(entry->row)->scope == SCOPE_NAME) {
        if (!add_up(builder, first, entry)) builder->parse_errors++;
        return;
    }
    remark(builder, REMARK_REPEATED, entry->command,
           mapped ? slice_of(stats_row(entry->row)->key) : snapshot_builder_key(builder, entry));
}

/* Brings the entries of one row into order and appends them to the `kept` first ones. */
static size_t settle_row(struct snapshot_builder *builder, size_t kept, size_t begin, size_t end,
                         enum row_order row_order)
{
    struct snapshot_builder_entry *entries = builder->entries;
    size_t first = kept;
    if (row_order == ROW_MIXED) {
        qsort_r(&entries[begin], end - begin, sizeof(entries[0]), compare_entries, builder);
        builder->sorted += end - begin;
    }
    for (size_t at = begin; at < end; at++) {
        if (row_order != ROW_UNIQUE && kept > first &&
            compare_stats(builder, &entries[kept - 1], &entries[at]) == 0)
            take_double(builder, &entries[kept - 1], &entries[at]);
        else
            entries[kept++] = entries[at];
    }
    return kept;
}

/*
 * Servers list slab classes in order and nothing twice, so that sorting by rows is nearly always all there is
 * to do: it takes a twentieth of the time of a comparing sort.
 */
bool snapshot_builder_sort(struct snapshot_builder *builder)
{
    size_t kept = 0;
    if (builder->count == 0) return true;
    if (!sort_rows(builder)) return false;
    for (size_t at = 0; at < builder->count;) {
        enum row_order row_order;
        size_t end = end_of_row(builder, at, &row_order);
        if (row_order == ROW_UNIQUE && kept == at)
            kept = end;
        else
            kept = settle_row(builder, kept, at, end, row_order);
        at = end;
    }
    builder->count = kept;
    return true;
}

const struct snapshot_builder_entry *snapshot_builder_find(const struct snapshot_builder *builder,
                                                           uint16_t row, uint32_t number)
{
    size_t low = 0, high = builder->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct snapshot_builder_entry *entry = &builder->entries[middle];
        if (entry->row < row || (entry->row == row && entry->number < number))
            low = middle + 1;
        else
            high = middle;
    }
    const struct snapshot_builder_entry *entry = low < builder->count ? &builder->entries[low] : NULL;
    return entry && entry->row == row && entry->number == number ? entry : NULL;
}
