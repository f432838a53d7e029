#include "watch/watch_record.h"

#include "base/array.h"
#include "base/container.h"

#include <stdlib.h>

static const double times[] = {1, 10, 60, 300, 600, 1800, 3600, 21600, 86400, 259200, 604800, 2592000};
static const double sizes[] = {64, 256, 1024, 4096, 16384, 65536, 262144, 1048576};
static const double durations[] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01,
                                   0.025,  0.05,    0.1,    0.25,  0.5,    1,     2.5};

const char *watch_skip_name(enum watch_skip skip)
{
    static const char *const names[] = {
        [WATCH_SKIP_WORKER] = "worker",
        [WATCH_SKIP_WATCHER] = "watcher",
        [WATCH_SKIP_EXPORTER] = "exporter",
    };
    return names[skip];
}

const char *watch_result_name(enum watch_result result)
{
    static const char *const names[] = {
        [WATCH_COMPLETE] = "complete",       [WATCH_DROPPED] = "dropped", [WATCH_BUDGET] = "budget",
        [WATCH_UNSUPPORTED] = "unsupported", [WATCH_REFUSED] = "refused", [WATCH_FAILED] = "failed",
    };
    return names[result];
}

void watch_record_init(struct watch_record *record, double now_s)
{
    *record = (struct watch_record){0};
    histogram_init(&record->stored_ttl, times, ARRAY_LEN(times), now_s);
    histogram_init(&record->stored_size, sizes, ARRAY_LEN(sizes), now_s);
    histogram_init(&record->evicted_idle, times, ARRAY_LEN(times), now_s);
    histogram_init(&record->evicted_ttl, times, ARRAY_LEN(times), now_s);
}

static void clear_list(struct hot_list *list)
{
    free(list->items);
    free(list->texts);
    *list = (struct hot_list){0};
}

void watch_report_clear(struct watch_report *report)
{
    clear_list(&report->keys);
    clear_list(&report->bytes);
    clear_list(&report->prefixes);
    *report = (struct watch_report){0};
}

void watch_record_deinit(struct watch_record *record)
{
    watch_report_clear(&record->report);
    free(record->prefixes);
    free(record->backends);
}

bool watch_is_label_value(struct slice text)
{
    for (size_t n = 0; n < text.len; n++) {
        if (text.data[n] <= ' ' || text.data[n] > '~') return false;
    }
    return !slice_is(text, "other");
}

/* --- Prefixes --- */

static struct watch_prefix *find_prefix(struct watch_record *record, struct slice prefix, uint64_t hash)
{
    for (size_t n = 0; prefix.len && n < record->prefix_count; n++) {
        struct watch_prefix *item = &record->prefixes[n];
        if (item->hash == hash && slice_equal((struct slice){item->name, item->len}, prefix)) return item;
    }
    return NULL;
}

static bool count_fetch(struct watch_record *record, const struct watch_event *event, struct slice prefix,
                        uint64_t hash)
{
    struct watch_prefix *own = find_prefix(record, prefix, hash), *item = own ? own : &record->other;
    if (event->status == 0)
        item->found++;
    else
        item->not_found++;
    return own;
}

void watch_record_add_prefix(struct watch_record *record, struct slice prefix, uint64_t hash, size_t most)
{
    if (prefix.len == 0 || prefix.len > WATCH_PREFIX_MAX || record->prefix_count >= most) return;
    if (find_prefix(record, prefix, hash)) return;
    if (!array_reserve(&record->prefixes, record->prefix_count, &record->prefix_size, 8, WATCH_PREFIXES_MAX))
        return;
    struct watch_prefix *item = &record->prefixes[record->prefix_count++];
    *item = (struct watch_prefix){.hash = hash, .len = (uint8_t) prefix.len};
    slice_put(item->name, prefix);
}

/* --- Backends of a proxy --- */

static struct watch_backend *add_backend(struct watch_record *record, struct slice name, double now_s)
{
    if (!array_reserve(&record->backends, record->backend_count, &record->backend_size, 4,
                       WATCH_BACKENDS_MAX + 1))
        return NULL;
    struct watch_backend *backend = &record->backends[record->backend_count++];
    for (size_t n = 0; n < WATCH_PROXY_STATUSES; n++)
        histogram_init(&backend->durations[n], durations, ARRAY_LEN(durations), now_s);
    memset(backend->observed, 0, sizeof(backend->observed));
    backend->len = (uint8_t) name.len;
    slice_put(backend->name, name);
    return backend;
}

/* Finds or adds the backend. Backends beyond the limit, and odd names, share one without a name. */
static struct watch_backend *use_backend(struct watch_record *record, struct slice name, double now_s)
{
    if (name.len > WATCH_BACKEND_MAX || !watch_is_label_value(name)) name.len = 0;
    for (unsigned turn = 0; turn < 2; turn++) {
        for (size_t n = 0; n < record->backend_count; n++) {
            struct watch_backend *backend = &record->backends[n];
            if (slice_equal((struct slice){backend->name, backend->len}, name)) return backend;
        }
        if (record->backend_count < WATCH_BACKENDS_MAX) break;
        name.len = 0;
    }
    return add_backend(record, name, now_s);
}

static void count_request(struct watch_record *record, const struct watch_event *event, double now_s)
{
    struct watch_backend *backend = use_backend(record, event->backend, now_s);
    if (!backend) return;
    backend->observed[event->status] = true;
    histogram_observe(&backend->durations[event->status], (double) event->elapsed_us / 1e6);
}

/* --- Events --- */

static void count_store(struct watch_record *record, const struct watch_event *event)
{
    if (event->status != 0) return;
    if (event->ttl_s >= 0) histogram_observe(&record->stored_ttl, (double) event->ttl_s);
    if (event->has_size) histogram_observe(&record->stored_size, (double) event->size);
}

static void count_eviction(struct watch_record *record, const struct watch_event *event)
{
    histogram_observe(&record->evicted_idle, (double) event->idle_s);
    if (event->ttl_s >= 0) histogram_observe(&record->evicted_ttl, (double) event->ttl_s);
}

bool watch_record_count(struct watch_record *record, const struct watch_event *event, struct slice prefix,
                        uint64_t hash, double now_s)
{
    record->events[event->stream][event->status]++;
    switch (event->stream) {
    case WATCH_FETCHERS:
        return count_fetch(record, event, prefix, hash);
    case WATCH_MUTATIONS:
        count_store(record, event);
        break;
    case WATCH_EVICTIONS:
        count_eviction(record, event);
        break;
    case WATCH_PROXYREQS:
        count_request(record, event, now_s);
        break;
    case WATCH_DELETIONS:
    case WATCH_STREAM_COUNT:
        break;
    }
    return false;
}
