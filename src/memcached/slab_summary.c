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

/* --- The figures --- */

/*
 * Reads the value of a class, which is digits, because all rows have FORM_UNSIGNED. Returns false if the
 * server did not say it. Classes must be asked for in ascending order.
 */
static inline bool read_value(const struct snapshot_builder *builder, struct row_walk *walk, uint32_t class,
                              uint64_t *value)
{
    const struct snapshot_builder_entry *entry = row_walk_find(walk, class);
    *value = entry ? digits_value(snapshot_builder_value(builder, entry)) : 0;
    return entry;
}

static void add_eviction(struct slab_summary *summary, uint64_t age_s)
{
    if (summary->classes_evicting == 0 || age_s < summary->eviction_age_s) summary->eviction_age_s = age_s;
    summary->classes_evicting++;
}

void slab_summary_make(struct slab_summary *summary, const struct snapshot_builder *builder)
{
    if (!rows.known) learn_rows();
    struct row_walk sizes = row_walk_begin(builder, rows.chunk_size),
                    used = row_walk_begin(builder, rows.used_chunks),
                    unused = row_walk_begin(builder, rows.free_chunks),
                    requested = row_walk_begin(builder, rows.requested[0]),
                    evicted = row_walk_begin(builder, rows.evicted),
                    times = row_walk_begin(builder, rows.evicted_time),
                    limit = row_walk_begin(builder, rows.limit);
    uint64_t size, chunks, bytes, evictions, age_s, used_bytes = 0, asked_bytes = 0;
    if (!row_walk_has_next(&requested)) requested = row_walk_begin(builder, rows.requested[1]);
    memset(summary, 0, sizeof(*summary));
    for (; row_walk_has_next(&sizes); sizes.at++) {
        uint32_t class = sizes.at->number;
        read_value(builder, &sizes, class, &size);
        read_value(builder, &used, class, &chunks);
        used_bytes += size * chunks;
        summary->has_wasted |= read_value(builder, &requested, class, &bytes);
        asked_bytes += bytes;
        if (read_value(builder, &evicted, class, &evictions) && evictions > 0) {
            read_value(builder, &times, class, &age_s);
            add_eviction(summary, age_s);
        } else {
            read_value(builder, &unused, class, &chunks);
            summary->free_while_evicting_bytes += size * chunks;
        }
    }
    summary->has_wasted |= used_bytes == 0;
    summary->wasted_bytes = used_bytes > asked_bytes ? used_bytes - asked_bytes : 0;
    if (summary->classes_evicting == 0) summary->free_while_evicting_bytes = 0;
    read_value(builder, &limit, 0, &summary->limit_bytes);
}

double slab_summary_imbalance(const struct slab_summary *summary)
{
    if (summary->limit_bytes == 0) return 0;
    return (double) summary->free_while_evicting_bytes / (double) summary->limit_bytes;
}
