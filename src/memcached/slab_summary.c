#include "memcached/slab_summary.h"

#include "base/digits.h"
#include "memcached/snapshot_order.h"

#include <string.h>

/* Rows of the stats table, looked up once. */
static struct {
    bool known;
    uint16_t chunk_size, used_chunks, free_chunks, evicted, evicted_time, limit;
    uint16_t requested[2]; /* mem_requested of `stats slabs` before 1.5.17, and of `stats items` since then */
} rows;

static uint16_t find_row(enum command command, const char *key)
{
    uint32_t number;
    return stats_find(command, slice_of(key), &number);
}

static void learn_rows(void)
{
    rows.known = true;
    rows.chunk_size = find_row(COMMAND_SLABS, "1:chunk_size");
    rows.used_chunks = find_row(COMMAND_SLABS, "1:used_chunks");
    rows.free_chunks = find_row(COMMAND_SLABS, "1:free_chunks");
    rows.evicted = find_row(COMMAND_ITEMS, "items:1:evicted");
    rows.evicted_time = find_row(COMMAND_ITEMS, "items:1:evicted_time");
    rows.limit = find_row(COMMAND_STATS, "limit_maxbytes");
    rows.requested[0] = find_row(COMMAND_SLABS, "1:mem_requested");
    rows.requested[1] = find_row(COMMAND_ITEMS, "items:1:mem_requested");
}

/* --- One stat of all classes --- */

/*
 * The lines of one row, in ascending order of their classes. Their values are digits, because all rows have
 * FORM_UNSIGNED.
 */
struct class_stats {
    const struct snapshot_builder *builder;
    const struct snapshot_builder_entry *at, *end;
    uint16_t row;
};

static struct class_stats stats_of(const struct snapshot_builder *builder, uint16_t row)
{
    return (struct class_stats){builder, snapshot_order_from(builder, row), builder->entries + builder->count,
                                row};
}

static inline bool has_class(const struct class_stats *stats)
{
    return stats->at < stats->end && stats->at->row == stats->row;
}

/*
 * Reads the value of a class. Returns false if the server did not say it. Classes must be asked for in
 * ascending order.
 */
static inline bool read_value(struct class_stats *stats, uint32_t class, uint64_t *value)
{
    while (has_class(stats) && stats->at->number < class) stats->at++;
    *value = 0;
    if (!has_class(stats) || stats->at->number != class) return false;
    *value = digits_value(snapshot_builder_value(stats->builder, stats->at));
    return true;
}

/* --- The figures --- */

static void add_eviction(struct slab_summary *summary, uint64_t age_s)
{
    if (summary->classes_evicting == 0 || age_s < summary->eviction_age_s) summary->eviction_age_s = age_s;
    summary->classes_evicting++;
}

void slab_summary_make(struct slab_summary *summary, const struct snapshot_builder *builder)
{
    if (!rows.known) learn_rows();
    struct class_stats sizes = stats_of(builder, rows.chunk_size), used = stats_of(builder, rows.used_chunks),
                       unused = stats_of(builder, rows.free_chunks),
                       requested = stats_of(builder, rows.requested[0]),
                       evicted = stats_of(builder, rows.evicted),
                       times = stats_of(builder, rows.evicted_time), limit = stats_of(builder, rows.limit);
    uint64_t size, chunks, bytes, evictions, age_s, used_bytes = 0, asked_bytes = 0;
    if (!has_class(&requested)) requested = stats_of(builder, rows.requested[1]);
    memset(summary, 0, sizeof(*summary));
    for (; has_class(&sizes); sizes.at++) {
        uint32_t class = sizes.at->number;
        read_value(&sizes, class, &size);
        read_value(&used, class, &chunks);
        used_bytes += size * chunks;
        summary->has_wasted |= read_value(&requested, class, &bytes);
        asked_bytes += bytes;
        if (read_value(&evicted, class, &evictions) && evictions > 0) {
            read_value(&times, class, &age_s);
            add_eviction(summary, age_s);
        } else {
            read_value(&unused, class, &chunks);
            summary->free_while_evicting_bytes += size * chunks;
        }
    }
    summary->has_wasted |= used_bytes == 0;
    summary->wasted_bytes = used_bytes > asked_bytes ? used_bytes - asked_bytes : 0;
    if (summary->classes_evicting == 0) summary->free_while_evicting_bytes = 0;
    read_value(&limit, 0, &summary->limit_bytes);
}

double slab_summary_imbalance(const struct slab_summary *summary)
{
    if (summary->limit_bytes == 0) return 0;
    return (double) summary->free_while_evicting_bytes / (double) summary->limit_bytes;
}
