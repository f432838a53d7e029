#include "collectors/counts.h"

#include <math.h>

/* Prefixes written per step. */
#define PREFIXES_A_STEP 32

static void write_u64(const struct counts_place *place, uint64_t value)
{
    encoder_sample_u64(place->encoder, place->target_labels, buffer_slice(place->labels), value);
}

/* Writes a sample without labels other than the target's. */
static bool write_bare(const struct counts_place *place, uint64_t value)
{
    buffer_clear(place->labels);
    write_u64(place, value);
    return true;
}

static void write_histogram(const struct counts_place *place, const double *bounds, const uint64_t *counts,
                            size_t count, double sum)
{
    struct histogram_view view = {.bounds = bounds, .counts = counts, .count = count, .sum = sum};
    encoder_histogram(place->encoder, place->target_labels, SLICE(""), &view);
}

/* --- Slab classes --- */

static bool write_ages(const struct counts_place *place, size_t *part)
{
    uint64_t counts[TAIL_AGE_BOUNDS + 1];
    (void) part;
    for (size_t n = 0; n <= TAIL_AGE_BOUNDS; n++) counts[n] = place->snapshot->ages.counts[n];
    write_histogram(place, tail_age_bounds, counts, TAIL_AGE_BOUNDS, NAN);
    return true;
}

static bool write_wasted(const struct counts_place *place, size_t *part)
{
    const struct slab_summary *slabs = &place->snapshot->slabs;
    (void) part;
    return !slabs->has_wasted || write_bare(place, slabs->wasted_bytes);
}

static bool write_classes_evicting(const struct counts_place *place, size_t *part)
{
    (void) part;
    return write_bare(place, place->snapshot->slabs.classes_evicting);
}

static bool write_eviction_age(const struct counts_place *place, size_t *part)
{
    const struct slab_summary *slabs = &place->snapshot->slabs;
    (void) part;
    return slabs->classes_evicting == 0 || write_bare(place, slabs->eviction_age_s);
}

static bool write_free_while_evicting(const struct counts_place *place, size_t *part)
{
    (void) part;
    return write_bare(place, place->snapshot->slabs.free_while_evicting_bytes);
}

static bool write_imbalance(const struct counts_place *place, size_t *part)
{
    const struct slab_summary *slabs = &place->snapshot->slabs;
    (void) part;
    if (slabs->limit_bytes)
        encoder_sample_double(place->encoder, place->target_labels, SLICE(""), slab_summary_imbalance(slabs));
    return true;
}

/* --- Item sizes --- */

static bool write_sizes(const struct counts_place *place, size_t *part)
{
    static const uint64_t none = 0;
    const struct sizes *sizes = &place->snapshot->sizes;
    (void) part;
    if (!sizes->disabled)
        write_histogram(place, sizes->bounds, sizes->count ? sizes->counts : &none, sizes->count, NAN);
    return true;
}

static bool write_sizes_enabled(const struct counts_place *place, size_t *part)
{
    (void) part;
    return write_bare(place, !place->snapshot->sizes.disabled);
}

/* --- Connections --- */

static void write_state(const struct counts_place *place, unsigned listener, unsigned state)
{
    const struct conn_stats *connections = place->snapshot->connections;
    uint32_t count = connections->counts[listener][state];
    if (count == 0) return;
    buffer_clear(place->labels);
    labels_append(place->labels, "listener", name_set_at(&connections->listeners, listener));
    labels_append(place->labels, "state", name_set_at(&connections->states, state));
    write_u64(place, count);
}

static bool write_states(const struct counts_place *place, size_t *part)
{
    (void) part;
    for (unsigned listener = 0; listener <= NAME_SET_MAX && place->snapshot->connections; listener++) {
        for (unsigned state = 0; state <= NAME_SET_MAX; state++) write_state(place, listener, state);
    }
    return true;
}

static bool write_idle(const struct counts_place *place, size_t *part)
{
    const struct conn_stats *connections = place->snapshot->connections;
    (void) part;
    if (connections)
        write_histogram(place, conn_stats_idle_bounds, connections->idle, CONN_STATS_IDLE_BOUNDS,
                        (double) connections->idle_sum_s);
    return true;
}

static bool write_udp(const struct counts_place *place, size_t *part)
{
    const struct conn_stats *connections = place->snapshot->connections;
    (void) part;
    return write_bare(place, connections ? connections->udp_sockets : 0);
}

/*
 * Writes the number only if it is not 0. Servers omit this stat when it is 0, and some versions never send
 * it.
 */
static bool write_responses(const struct counts_place *place, size_t *part)
{
    const struct conn_stats *connections = place->snapshot->connections;
    (void) part;
    if (connections && connections->responses_waiting) write_bare(place, connections->responses_waiting);
    return true;
}

static bool write_queues(const struct counts_place *place, size_t *part)
{
    const struct conn_stats *connections = place->snapshot->connections;
    (void) part;
    if (connections && connections->queues_waiting) write_bare(place, connections->queues_waiting);
    return true;
}

static bool write_queued(const struct counts_place *place, size_t *part)
{
    const struct conn_stats *connections = place->snapshot->connections;
    (void) part;
    for (enum connection_queue queue = 0; queue < QUEUE_COUNT && connections; queue++) {
        if (!connections->queued[queue]) continue;
        buffer_clear(place->labels);
        labels_append(place->labels, "queue", slice_of(connection_queue_name(queue)));
        write_u64(place, connections->queued[queue]);
    }
    return true;
}

/* --- Key prefixes --- */

typedef void (*prefix_fn)(const struct counts_place *place, struct slice name,
                          const struct prefix_counts *counts);

static void write_prefix_command(const struct counts_place *place, struct slice name, const char *command,
                                 uint64_t count)
{
    buffer_clear(place->labels);
    labels_append(place->labels, "prefix", name);
    labels_append(place->labels, "command", slice_of(command));
    write_u64(place, count);
}

static void write_prefix_commands(const struct counts_place *place, struct slice name,
                                  const struct prefix_counts *counts)
{
    write_prefix_command(place, name, "get", counts->gets);
    write_prefix_command(place, name, "set", counts->sets);
    write_prefix_command(place, name, "delete", counts->deletes);
}

static void write_prefix_hits(const struct counts_place *place, struct slice name,
                              const struct prefix_counts *counts)
{
    buffer_clear(place->labels);
    labels_append(place->labels, "prefix", name);
    write_u64(place, counts->hits);
}

/* Writes up to PREFIXES_A_STEP prefixes. The first call also writes the sum of all remaining prefixes. */
static bool write_prefixes(const struct counts_place *place, size_t *part, prefix_fn write)
{
    const struct prefixes *prefixes = &place->snapshot->prefixes;
    size_t end = *part + PREFIXES_A_STEP < prefixes->count ? *part + PREFIXES_A_STEP : prefixes->count;
    if (*part == 0 && prefixes->has_rest) write(place, SLICE(""), &prefixes->rest);
    for (size_t n = *part; n < end; n++) {
        const struct prefix *prefix = &prefixes->items[n];
        write(place, (struct slice){prefix->name, prefix->len}, &prefix->counts);
    }
    *part = end;
    return end == prefixes->count;
}

static bool write_all_commands(const struct counts_place *place, size_t *part)
{
    return write_prefixes(place, part, write_prefix_commands);
}

static bool write_all_hits(const struct counts_place *place, size_t *part)
{
    return write_prefixes(place, part, write_prefix_hits);
}

static bool write_dropped(const struct counts_place *place, size_t *part)
{
    (void) part;
    return write_bare(place, place->snapshot->prefixes.dropped);
}

const struct counts_family counts_families[COUNTS_FAMILIES] = {
    {{"memcached_slab_tail_age_seconds", "Slab classes by the age of their oldest item (stat items:N:age).",
      METRIC_GAUGE_HISTOGRAM, ""},
     COMMAND_BIT(COMMAND_ITEMS) | BY_CLASS(COMMAND_BIT(COMMAND_ITEMS)),
     write_ages},
    {{"memcached_slab_wasted_bytes",
      "Bytes of used chunks that no item fills, of all slab classes together (stats N:used_chunks and "
      "N:chunk_size, less mem_requested).",
      METRIC_GAUGE, ""},
     SLAB_COMMANDS | SLAB_SUMMARY,
     write_wasted},
    {{"memcached_slab_classes_evicting",
      "Slab classes that have evicted items since the server started (stat items:N:evicted above 0).",
      METRIC_GAUGE, ""},
     SLAB_COMMANDS | SLAB_SUMMARY,
     write_classes_evicting},
    {{"memcached_eviction_age_seconds",
      "Seconds since the last access of the item that a slab class evicted last, the least of all classes "
      "that have evicted; absent if none has (stat items:N:evicted_time).",
      METRIC_GAUGE, ""},
     SLAB_COMMANDS | SLAB_SUMMARY,
     write_eviction_age},
    {{"memcached_slab_free_while_evicting_bytes",
      "Bytes of free chunks in slab classes that have not evicted, if another class has; else 0 (stats "
      "N:free_chunks and N:chunk_size, items:N:evicted).",
      METRIC_GAUGE, ""},
     SLAB_COMMANDS | SLAB_SUMMARY,
     write_free_while_evicting},
    {{"memcached_slab_imbalance_ratio",
      "memcached_slab_free_while_evicting_bytes as a share of the memory limit (stat limit_maxbytes).",
      METRIC_GAUGE, ""},
     SLAB_COMMANDS | SLAB_SUMMARY,
     write_imbalance},
    {{"memcached_item_sizes_enabled", "Whether the server counts items by size (stat sizes_status).",
      METRIC_GAUGE, ""},
     COMMAND_BIT(COMMAND_SIZES),
     write_sizes_enabled},
    {{"memcached_item_size_bytes", "Items by their whole size (stats sizes).", METRIC_GAUGE_HISTOGRAM, ""},
     COMMAND_BIT(COMMAND_SIZES),
     write_sizes},
    {{"memcached_connections_by_state",
      "Connections and other sockets by listener, where the server names it, and state (stat N:state).",
      METRIC_GAUGE, "listener,state"},
     COMMAND_BIT(COMMAND_CONNS),
     write_states},
    {{"memcached_connection_idle_seconds",
      "Connections by the time since their last command, listening and UDP sockets left out "
      "(stat N:secs_since_last_cmd).",
      METRIC_GAUGE_HISTOGRAM, ""},
     COMMAND_BIT(COMMAND_CONNS),
     write_idle},
    {{"memcached_udp_sockets", "UDP sockets, one for each worker (stat N:UDP).", METRIC_GAUGE, ""},
     COMMAND_BIT(COMMAND_CONNS),
     write_udp},
    {{"memcached_connection_responses_waiting",
      "Responses that wait for a backend or for flash, absent if there are none (stat N:resps_waiting).",
      METRIC_GAUGE, ""},
     COMMAND_BIT(COMMAND_CONNS),
     write_responses},
    {{"memcached_connection_queues_waiting",
      "I/O queues that connections wait for, absent if there are none (stat N:queues_waiting).", METRIC_GAUGE,
      ""},
     COMMAND_BIT(COMMAND_CONNS),
     write_queues},
    {{"memcached_connection_queued",
      "Requests of connections in I/O queues, absent if there are none (stats N:queue_extstore and so on).",
      METRIC_GAUGE, "queue"},
     COMMAND_BIT(COMMAND_CONNS),
     write_queued},
    {{"memcached_prefix_commands_total",
      "Commands by key prefix; the empty one stands for all that are not told apart (stats detail dump).",
      METRIC_COUNTER, "prefix,command"},
     COMMAND_BIT(COMMAND_DETAIL),
     write_all_commands},
    {{"memcached_prefix_get_hits_total", "Hits of get by key prefix, as above (stats detail dump).",
      METRIC_COUNTER, "prefix"},
     COMMAND_BIT(COMMAND_DETAIL),
     write_all_hits},
    {{"memcached_prefixes_dropped",
      "Key prefixes that are not told apart, see --collector.detail.max-prefixes.", METRIC_GAUGE, ""},
     COMMAND_BIT(COMMAND_DETAIL),
     write_dropped},
};
