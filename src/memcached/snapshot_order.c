#include "memcached/snapshot_order.h"

#include "base/number.h"
#include "memcached/name_set.h"

#include <stdlib.h>
#include <string.h>

/*
 * Compares the stats of two entries. Returns 0 if they are the same stat. Only entries of unmapped stats and
 * of SCOPE_NAME have a key.
 */
static int compare_stats(const struct snapshot_builder *builder, const struct snapshot_builder_entry *a,
                         const struct snapshot_builder_entry *b)
{
    if (a->row != b->row) return a->row < b->row ? -1 : 1;
    if (a->number != b->number) return a->number < b->number ? -1 : 1;
    if (a->command != b->command) return a->command < b->command ? -1 : 1;
    return name_compare(snapshot_builder_key(builder, a), snapshot_builder_key(builder, b));
}

/*
 * Compares the stats, then the order of arrival. Every entry has text, so a later entry has a larger offset.
 */
static int compare_entries(const void *left, const void *right, void *builder)
{
    const struct snapshot_builder_entry *a = left, *b = right;
    int order = compare_stats(builder, a, b);
    return order ? order : (a->text > b->text) - (a->text < b->text);
}

/* --- By a remembered order --- */

/* Orders of more entries than this are not remembered. */
#define ORDER_MAX 1024

/*
 * Number of remembered orders. Servers of different versions, or with different slab classes, have different
 * orders.
 */
#define ORDERS 16

struct late_order {
    size_t count;                 /* number of entries; 0: no order */
    uint16_t arrivals[ORDER_MAX]; /* arrivals[n]: which entry in order of arrival becomes the n-th */
};

static struct late_order late_orders[ORDERS];

/* Returns the order to try, and to overwrite with a new order. A hash of a few entries selects it. */
static struct late_order *order_of(const struct snapshot_builder *builder)
{
    uint32_t hash = (uint32_t) builder->count;
    for (size_t n = 0; n < 8; n++) {
        const struct snapshot_builder_entry *entry = &builder->entries[builder->count * n / 8];
        hash = (hash ^ entry->row ^ entry->number << 16) * 16777619u;
    }
    return &late_orders[(hash ^ hash >> 16) % ORDERS];
}

/*
 * Copies the entries into `sorted` in the remembered order. Returns false if they do not ascend then;
 * `sorted` is useless in that case.
 */
static bool sort_as_before(const struct snapshot_builder *builder, const struct late_order *order,
                           struct snapshot_builder_entry *sorted)
{
    const struct snapshot_builder_entry *entries = builder->entries;
    const size_t count = builder->count;
    uint64_t last = 0;
    if (order->count != count) return false;
    for (size_t i = 0; i < count; i++) {
        const struct snapshot_builder_entry *entry = &entries[order->arrivals[i]];
        uint64_t place = (uint64_t) entry->row << 32 | entry->number;
        sorted[i] = *entry;
        if (place > last) {
            last = place;
        } else if (i > 0 && (place < last || compare_stats(builder, entry, &sorted[i - 1]) <= 0)) {
            return false;
        }
    }
    return true;
}

/* --- By rows --- */

/* One place for each row number. The rows of unmapped stats come after all others. */
#define PLACES_MAX (STAT_ROWS_MAX + 2)

static unsigned place_of_row(uint16_t row)
{
    return stats_is_unmapped(row) ? stats_count() + (unsigned) (row - STAT_UNMAPPED) : row;
}

/* Sets starts[place] to the index at which the entries of a row begin. */
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

/*
 * Copies the entries into `sorted` by row, and within a row in order of arrival. Takes linear time. Remembers
 * the order.
 */
static void sort_rows(const struct snapshot_builder *builder, struct snapshot_builder_entry *sorted,
                      struct late_order *order)
{
    uint32_t places[PLACES_MAX];
    bool fits = builder->count <= ORDER_MAX;
    count_rows(builder, places);
    for (size_t i = 0; i < builder->count; i++) {
        uint32_t at = places[place_of_row(builder->entries[i].row)]++;
        sorted[at] = builder->entries[i];
        if (fits) order->arrivals[at] = (uint16_t) i;
    }
    order->count = fits ? builder->count : 0;
}

enum row_order { ROW_UNIQUE, ROW_WITH_DOUBLES, ROW_MIXED };

/* Returns the end of the row that begins at `at`. Sets `row_order` to the order of the row's entries. */
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
 * Adds the value of `entry` to `sum`, which has the same name. The text of `sum` moves to the end of the
 * text. Returns false if there is no room.
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

/* Handles `entry`, which repeats the stat of `first`: adds up values of SCOPE_NAME, else adds a remark. */
static void take_double(struct snapshot_builder *builder, struct snapshot_builder_entry *first,
                        const struct snapshot_builder_entry *entry)
{
    bool mapped = !stats_is_unmapped(entry->row);
    if (mapped && stats_row(entry->row)->scope == SCOPE_NAME) {
        if (!add_up(builder, first, entry)) builder->parse_errors++;
        return;
    }
    snapshot_builder_remark(builder, REMARK_REPEATED, entry->command,
                            mapped ? slice_of(stats_row(entry->row)->key)
                                   : snapshot_builder_key(builder, entry));
}

/*
 * Sorts the entries of one row, removes repeated stats, and appends the row to the `kept` first entries.
 * Returns their new number.
 */
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
 * Sorts the entries within each row. Returns true if all rows were in order and had no repeated stat.
 *
 * That is nearly always so: servers list slab classes in order and nothing twice. Sorting by rows takes a
 * twentieth of the time of a comparing sort.
 */
static bool settle_rows(struct snapshot_builder *builder)
{
    size_t kept = 0;
    bool is_settled = true;
    for (size_t at = 0; at < builder->count;) {
        enum row_order row_order;
        size_t end = end_of_row(builder, at, &row_order);
        is_settled &= row_order == ROW_UNIQUE;
        if (row_order == ROW_UNIQUE && kept == at)
            kept = end;
        else
            kept = settle_row(builder, kept, at, end, row_order);
        at = end;
    }
    builder->count = kept;
    return is_settled;
}

bool snapshot_order_sort(struct snapshot_builder *builder)
{
    if (builder->count == 0) return true;
    struct late_order *order = order_of(builder);
    struct snapshot_builder_entry *entries = builder->entries,
                                  *sorted = malloc(builder->count * sizeof(sorted[0]));
    if (!sorted) return false;
    bool is_sorted = sort_as_before(builder, order, sorted);
    if (!is_sorted) sort_rows(builder, sorted, order);
    builder->entries = sorted;
    builder->size = builder->count;
    free(entries);
    if (!is_sorted && !settle_rows(builder)) order->count = 0;
    return true;
}

const struct snapshot_builder_entry *snapshot_order_from(const struct snapshot_builder *builder, uint16_t row)
{
    size_t low = 0, high = builder->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (builder->entries[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return builder->entries + low;
}
