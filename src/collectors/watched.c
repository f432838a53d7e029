#include "collectors/watched.h"

#include "base/container.h"

#include <stdio.h>
#include <stdlib.h>

/* Targets written per step. */
#define TARGETS_A_STEP 32

/* Where the samples of one family and one server go. */
struct watched_place {
    struct encoder *encoder;
    struct slice target_labels;
    struct buffer *labels; /* scratch */
    const struct watch_record *record;
    const struct watched *watched;
};

/* --- Samples --- */

static struct slice one_label(const struct watched_place *place, const char *name, struct slice value)
{
    buffer_clear(place->labels);
    labels_append(place->labels, name, value);
    return buffer_slice(place->labels);
}

static struct slice two_labels(const struct watched_place *place, const char *name, struct slice value,
                               const char *second_name, struct slice second)
{
    one_label(place, name, value);
    labels_append(place->labels, second_name, second);
    return buffer_slice(place->labels);
}

static void write_count(const struct watched_place *place, struct slice labels, uint64_t count)
{
    if (!place->labels->failed) encoder_sample_u64(place->encoder, place->target_labels, labels, count);
}

static void write_histogram_of(const struct watched_place *place, struct slice labels,
                               const struct histogram *histogram)
{
    struct histogram_view view = histogram_view(histogram);
    if (!place->labels->failed) encoder_histogram(place->encoder, place->target_labels, labels, &view);
}

/* Returns true if the last window has watched the stream. */
static bool has_stream(const struct watched_place *place, enum watch_stream stream)
{
    return place->record->report.streams & WATCH_BIT(stream);
}

/* --- Families --- */

static void write_events(const struct watched_place *place)
{
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        if (!(place->record->streams & WATCH_BIT(stream))) continue;
        for (unsigned status = 0; watch_status_name(stream, status); status++)
            write_count(place,
                        two_labels(place, "stream", slice_of(watch_stream_name(stream)), "status",
                                   slice_of(watch_status_name(stream, status))),
                        place->record->events[stream][status]);
    }
}

/* Returns true if windows are opened on the server, and not only its items counted. */
static bool has_windows(const struct watched_place *place)
{
    const struct watch *watch = place->watched->watch;
    return watch && watch_config(watch)->enabled;
}

static void write_skipped(const struct watched_place *place)
{
    if (!has_windows(place)) return;
    for (enum watch_skip skip = 0; skip < WATCH_SKIP_COUNT; skip++)
        write_count(place, one_label(place, "where", slice_of(watch_skip_name(skip))),
                    place->record->skipped[skip]);
}

static void write_windows(const struct watched_place *place)
{
    if (!has_windows(place)) return;
    for (enum watch_result result = 0; result < WATCH_RESULT_COUNT; result++)
        write_count(place, one_label(place, "result", slice_of(watch_result_name(result))),
                    place->record->windows[result]);
}

/* Writes the share of each key by its rank. Nothing was fetched: no sample. */
static void write_ranks(const struct watched_place *place, const struct hot_list *list)
{
    for (size_t n = 0; n < list->count; n++) {
        char rank[24];
        struct slice text = {rank, (size_t) snprintf(rank, sizeof(rank), "%zu", n + 1)};
        struct slice labels = one_label(place, "rank", text);
        if (place->labels->failed) return;
        encoder_sample_double(place->encoder, place->target_labels, labels,
                              (double) list->items[n].count / (double) list->total);
    }
}

static void write_hot_keys(const struct watched_place *place)
{
    write_ranks(place, &place->record->report.keys);
}

static void write_hot_bytes(const struct watched_place *place)
{
    write_ranks(place, &place->record->report.bytes);
}

static void write_distinct(const struct watched_place *place)
{
    if (has_stream(place, WATCH_FETCHERS))
        encoder_sample_u64(place->encoder, place->target_labels, SLICE(""),
                           (uint64_t) (place->record->report.distinct + 0.5));
}

static void write_prefix(const struct watched_place *place, struct slice name,
                         const struct watch_prefix *prefix)
{
    write_count(place, two_labels(place, "prefix", name, "status", SLICE("found")), prefix->found);
    write_count(place, two_labels(place, "prefix", name, "status", SLICE("not_found")), prefix->not_found);
}

static void write_prefixes(const struct watched_place *place)
{
    const struct watch_record *record = place->record;
    if (!(record->streams & WATCH_BIT(WATCH_FETCHERS))) return;
    for (size_t n = 0; n < record->prefix_count; n++)
        write_prefix(place, (struct slice){record->prefixes[n].name, record->prefixes[n].len},
                     &record->prefixes[n]);
    write_prefix(place, SLICE("other"), &record->other);
}

static void write_stored_ttl(const struct watched_place *place)
{
    if (place->record->streams & WATCH_BIT(WATCH_MUTATIONS))
        write_histogram_of(place, SLICE(""), &place->record->stored_ttl);
}

static void write_stored_size(const struct watched_place *place)
{
    if (place->record->streams & WATCH_BIT(WATCH_MUTATIONS))
        write_histogram_of(place, SLICE(""), &place->record->stored_size);
}

static void write_evicted_idle(const struct watched_place *place)
{
    if (place->record->streams & WATCH_BIT(WATCH_EVICTIONS))
        write_histogram_of(place, SLICE(""), &place->record->evicted_idle);
}

static void write_evicted_ttl(const struct watched_place *place)
{
    if (place->record->streams & WATCH_BIT(WATCH_EVICTIONS))
        write_histogram_of(place, SLICE(""), &place->record->evicted_ttl);
}

static void write_evicted(const struct watched_place *place)
{
    if (!has_stream(place, WATCH_EVICTIONS)) return;
    write_count(place, one_label(place, "fetched", SLICE("no")), place->record->report.evicted[0]);
    write_count(place, one_label(place, "fetched", SLICE("yes")), place->record->report.evicted[1]);
}

static void write_backends(const struct watched_place *place)
{
    for (size_t n = 0; n < place->record->backend_count; n++) {
        const struct watch_backend *backend = &place->record->backends[n];
        struct slice name = backend->len ? (struct slice){backend->name, backend->len} : SLICE("other");
        for (unsigned status = 0; status < WATCH_PROXY_STATUSES; status++) {
            if (backend->observed[status])
                write_histogram_of(place,
                                   two_labels(place, "backend", name, "result",
                                              slice_of(watch_status_name(WATCH_PROXYREQS, status))),
                                   &backend->durations[status]);
        }
    }
}

/* --- The census --- */

static void write_census_results(const struct watched_place *place)
{
    uint64_t all = 0;
    for (enum census_result result = 0; result < CENSUS_RESULT_COUNT; result++)
        all += place->watched->censuses[result];
    for (enum census_result result = 0; all && result < CENSUS_RESULT_COUNT; result++)
        write_count(place, one_label(place, "result", slice_of(census_result_name(result))),
                    place->watched->censuses[result]);
}

static void write_census_time(const struct watched_place *place)
{
    const struct census_report *report = &place->watched->census;
    if (report->count)
        encoder_sample_double(place->encoder, place->target_labels, SLICE(""), report->ended_s);
}

static void write_census_dropped(const struct watched_place *place)
{
    const struct census_report *report = &place->watched->census;
    if (report->count) write_count(place, SLICE(""), report->dropped);
}

static struct slice census_label(const struct watched_place *place, size_t n)
{
    const struct census_prefix *prefix = &place->watched->census.prefixes[n];
    return one_label(place, "prefix",
                     prefix->len ? (struct slice){prefix->name, prefix->len} : SLICE("other"));
}

static void write_census_items(const struct watched_place *place)
{
    const struct census_report *report = &place->watched->census;
    for (size_t n = 0; n < report->count; n++)
        write_count(place, census_label(place, n), report->prefixes[n].items);
}

static void write_census_bytes(const struct watched_place *place)
{
    const struct census_report *report = &place->watched->census;
    for (size_t n = 0; n < report->count; n++)
        write_count(place, census_label(place, n), report->prefixes[n].bytes);
}

static void write_census_measure(const struct watched_place *place, enum census_measure measure)
{
    const struct census_report *report = &place->watched->census;
    for (size_t n = 0; n < report->count; n++) {
        struct histogram_view view = census_view(&report->prefixes[n], measure);
        struct slice labels = census_label(place, n);
        if (!place->labels->failed) encoder_histogram(place->encoder, place->target_labels, labels, &view);
    }
}

static void write_census_ttl(const struct watched_place *place)
{
    write_census_measure(place, CENSUS_TTL);
}

static void write_census_idle(const struct watched_place *place)
{
    write_census_measure(place, CENSUS_IDLE);
}

static void write_census_size(const struct watched_place *place)
{
    write_census_measure(place, CENSUS_SIZE);
}

#define SEEN    " While a server was watched, see watch in the configuration file."
#define COUNTED " When they were last counted, see census in the configuration file."
#define LAST    " In the last window in which the server was watched."

static const struct {
    struct family family;
    void (*write)(const struct watched_place *place);
} rows[] = {
    {{"memcached_watch_events_total", "Events in the log of a server, by stream." SEEN, METRIC_COUNTER,
      "stream,status"},
     write_events},
    {{"memcached_watch_skipped_total",
      "Events that were not seen, by what was too slow for them: a thread of the server, the connection, or "
      "the exporter, which could not read a line.",
      METRIC_COUNTER, "where"},
     write_skipped},
    {{"memcached_watch_windows_total", "Windows in which a server was watched, by how they ended.",
      METRIC_COUNTER, "result"},
     write_windows},
    {{"memcached_hot_key_ratio",
      "Share of all fetches that the most fetched keys had, by rank; at most 0.001 too high." LAST,
      METRIC_GAUGE, "rank"},
     write_hot_keys},
    {{"memcached_hot_key_bytes_ratio",
      "Share of all fetched bytes that single keys had, by rank; at most 0.001 too high." LAST, METRIC_GAUGE,
      "rank"},
     write_hot_bytes},
    {{"memcached_fetched_distinct_keys",
      "Number of different keys that were fetched, with a standard error of 1.6 %." LAST, METRIC_GAUGE, ""},
     write_distinct},
    {{"memcached_prefix_fetches_total", "Fetches by the prefix of the key and by outcome." SEEN,
      METRIC_COUNTER, "prefix,status"},
     write_prefixes},
    {{"memcached_stored_item_ttl_seconds", "Time to live of stored items that expire." SEEN, METRIC_HISTOGRAM,
      ""},
     write_stored_ttl},
    {{"memcached_stored_item_size_bytes", "Size of the values of stored items." SEEN, METRIC_HISTOGRAM, ""},
     write_stored_size},
    {{"memcached_evicted_item_idle_seconds", "Time since the last access to items that were evicted." SEEN,
      METRIC_HISTOGRAM, ""},
     write_evicted_idle},
    {{"memcached_evicted_item_ttl_remaining_seconds",
      "Time that evicted items still had to live, if they expire." SEEN, METRIC_HISTOGRAM, ""},
     write_evicted_ttl},
    {{"memcached_evicted_items", "Evicted items, by whether they were ever fetched." LAST, METRIC_GAUGE,
      "fetched"},
     write_evicted},
    {{"memcached_proxy_request_duration_seconds",
      "How long requests to the backends of a proxy took, by backend and result." SEEN, METRIC_HISTOGRAM,
      "backend,result"},
     write_backends},
    {{"memcached_census_results_total", "Censuses of a server's items, by how they ended.", METRIC_COUNTER,
      "result"},
     write_census_results},
    {{"memcached_census_timestamp_seconds", "When the items were last counted, as Unix time.", METRIC_GAUGE,
      ""},
     write_census_time},
    {{"memcached_census_dropped_items", "Items that were not looked at." COUNTED, METRIC_GAUGE, ""},
     write_census_dropped},
    {{"memcached_census_items", "Items by the prefix of their key." COUNTED, METRIC_GAUGE, "prefix"},
     write_census_items},
    {{"memcached_census_bytes", "Memory of the items by the prefix of their key." COUNTED, METRIC_GAUGE,
      "prefix"},
     write_census_bytes},
    {{"memcached_census_item_ttl_seconds", "Time that items still have to live, if they expire." COUNTED,
      METRIC_GAUGE_HISTOGRAM, "prefix"},
     write_census_ttl},
    {{"memcached_census_item_idle_seconds", "Time since the last access to items." COUNTED,
      METRIC_GAUGE_HISTOGRAM, "prefix"},
     write_census_idle},
    {{"memcached_census_item_size_bytes", "Memory of single items." COUNTED, METRIC_GAUGE_HISTOGRAM,
      "prefix"},
     write_census_size},
};

static const struct family *const families[] = {
    &rows[0].family,  &rows[1].family,  &rows[2].family,  &rows[3].family,  &rows[4].family,
    &rows[5].family,  &rows[6].family,  &rows[7].family,  &rows[8].family,  &rows[9].family,
    &rows[10].family, &rows[11].family, &rows[12].family, &rows[13].family, &rows[14].family,
    &rows[15].family, &rows[16].family, &rows[17].family, &rows[18].family, &rows[19].family,
    &rows[20].family,
};
_Static_assert(ARRAY_LEN(families) == ARRAY_LEN(rows), "each row has a family");

const struct collector watched_collector = {"watch", families, ARRAY_LEN(families), ""};

/* --- The walk --- */

static void write_target(struct watched_walk *walk, struct encoder *encoder)
{
    const struct watched *watched = walk->servers[walk->target];
    const struct target *target = fan_out_target(walk->fan_out, walk->target);
    struct watched_place place = {.encoder = encoder,
                                  .target_labels = slice_of(walk->with_labels ? target->labels : ""),
                                  .labels = &walk->labels,
                                  .record = watched ? &watched->record : NULL,
                                  .watched = watched};
    if (!watched) return;
    encoder_family(encoder, families[walk->family]);
    buffer_clear(place.labels);
    rows[walk->family].write(&place);
}

static bool watched_step(struct walk *base, struct encoder *encoder)
{
    struct watched_walk *walk = container_of(base, struct watched_walk, walk);
    for (unsigned n = 0; n < TARGETS_A_STEP && walk->target < walk->count; n++, walk->target++)
        write_target(walk, encoder);
    if (walk->target < walk->count) return true;
    walk->target = 0;
    return ++walk->family < ARRAY_LEN(families);
}

int watched_walk_init(struct watched_walk *walk, const struct watch *watch, const struct fan_out *fan_out,
                      bool with_labels)
{
    size_t count = fan_out_count(fan_out);
    *walk = (struct watched_walk){.walk = {&watched_collector, watched_step},
                                  .fan_out = fan_out,
                                  .with_labels = with_labels,
                                  .count = count};
    walk->servers = calloc(count + 1, sizeof(struct watched *));
    if (!walk->servers) return UV_ENOMEM;
    for (size_t n = 0; n < count; n++) {
        struct watched *watched = watch_find(watch, fan_out_target(fan_out, n)->client->key.name);
        walk->servers[n] = watched ? watched_hold(watched) : NULL;
    }
    buffer_init(&walk->labels, 16 * 1024);
    return 0;
}

void watched_walk_deinit(struct watched_walk *walk)
{
    if (!walk->servers) return;
    for (size_t n = 0; n < walk->count; n++) watched_release(walk->servers[n]);
    free(walk->servers);
    buffer_deinit(&walk->labels);
}
