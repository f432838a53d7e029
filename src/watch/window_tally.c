#include "watch/window_tally.h"

#include "watch/distinct.h"
#include "watch/top_keys.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct window_tally {
    const struct watch_config *config;
    const struct siphash_secret *secret;
    struct watch_record *record;
    uint64_t fetches, evicted[2];
    struct distinct distinct;
    struct top_keys *keys, *bytes, *prefixes; /* owned */
};

struct window_tally *window_tally_new(const struct watch_config *config, const struct siphash_secret *secret,
                                      struct watch_record *record)
{
    struct window_tally *tally = calloc(1, sizeof(*tally));
    if (!tally) return NULL;
    tally->config = config;
    tally->secret = secret;
    tally->record = record;
    tally->keys = top_keys_new(WINDOW_COUNTERS);
    tally->bytes = top_keys_new(WINDOW_COUNTERS);
    tally->prefixes = top_keys_new(WINDOW_PREFIX_COUNTERS);
    if (tally->keys && tally->bytes && tally->prefixes) return tally;
    window_tally_free(tally);
    return NULL;
}

void window_tally_free(struct window_tally *tally)
{
    if (!tally) return;
    top_keys_free(tally->keys);
    top_keys_free(tally->bytes);
    top_keys_free(tally->prefixes);
    free(tally);
}

/* --- Events --- */

struct slice window_prefix(struct slice key, char separator)
{
    const char *end = memchr(key.data, separator, key.len);
    struct slice prefix = {key.data, end ? (size_t) (end - key.data) : 0};
    if (prefix.len > WATCH_PREFIX_MAX || !watch_is_label_value(prefix)) prefix.len = 0;
    return prefix;
}

static void add_fetch(struct window_tally *tally, const struct watch_event *event, double now_s)
{
    struct slice key = {event->key, event->key_len};
    struct slice prefix = window_prefix(key, tally->config->separator);
    uint64_t hash = siphash(tally->secret, key);
    uint64_t prefix_hash = prefix.len ? siphash(tally->secret, prefix) : 0;
    watch_record_count(tally->record, event, prefix, prefix_hash, now_s);
    tally->fetches++;
    distinct_add(&tally->distinct, hash);
    top_keys_add(tally->keys, key, hash, 1);
    top_keys_add(tally->bytes, key, hash, event->size);
    if (prefix.len) top_keys_add(tally->prefixes, prefix, prefix_hash, 1);
}

void window_tally_add(struct window_tally *tally, const struct watch_event *event, double now_s)
{
    if (event->stream == WATCH_FETCHERS) {
        add_fetch(tally, event, now_s);
        return;
    }
    if (event->stream == WATCH_EVICTIONS) tally->evicted[event->status]++;
    watch_record_count(tally->record, event, SLICE(""), 0, now_s);
}

/* --- The report --- */

/* Returns what may be shown of a key. `digits` gets the text of a hash. */
static struct slice shown_text(const struct window_tally *tally, const struct top_key *top, char digits[17])
{
    switch (tally->config->keys) {
    case WATCH_KEYS_PREFIX:
        return window_prefix(top->key, tally->config->separator);
    case WATCH_KEYS_HASH:
        return (struct slice){digits, (size_t) snprintf(digits, 17, "%016" PRIx64, top->hash)};
    case WATCH_KEYS_FULL:
        return top->key;
    case WATCH_KEYS_NONE:
    case WATCH_KEYS_COUNT:
        break;
    }
    return SLICE("");
}

/* Fills a list with the best keys. `whole` shows them as they are. Without memory, the list stays empty. */
static void report_list(const struct window_tally *tally, const struct top_keys *from, bool whole,
                        struct hot_list *list)
{
    struct top_key best[WATCH_HOT_KEYS_MAX];
    size_t count = top_keys_best(from, best, tally->config->hot_keys);
    list->total = top_keys_total(from);
    list->bound = top_keys_bound(from);
    list->items = calloc(count + 1, sizeof(*list->items));
    size_t len = 0;
    char digits[17];
    for (size_t n = 0; n < count; n++)
        len += whole ? best[n].key.len : shown_text(tally, &best[n], digits).len;
    char *end = list->texts = malloc(len + 1);
    if (!list->items || !list->texts) return;
    for (size_t n = 0; n < count; n++) {
        struct slice text = whole ? best[n].key : shown_text(tally, &best[n], digits);
        list->items[n] = (struct hot_key){best[n].count, best[n].error, {end, text.len}};
        end = slice_put(end, text);
    }
    list->count = count;
}

/*
 * Reports prefixes, and gives frequent ones series of their own. A prefix counts if it certainly has its
 * share.
 */
static void report_prefixes(const struct window_tally *tally, struct watch_report *report)
{
    struct top_key best[WATCH_HOT_KEYS_MAX];
    double least = WINDOW_PREFIX_SHARE * (double) tally->fetches;
    size_t count = top_keys_best(tally->prefixes, best, WATCH_HOT_KEYS_MAX);
    for (size_t n = 0; n < count; n++) {
        if ((double) (best[n].count - best[n].error) < least) continue;
        watch_record_add_prefix(tally->record, best[n].key, best[n].hash, tally->config->prefixes);
    }
    report_list(tally, tally->prefixes, true, &report->prefixes);
    report->prefixes.total = tally->fetches;
}

void window_tally_report(const struct window_tally *tally, unsigned streams, uint64_t length_ms, double now_s)
{
    struct watch_report *report = &tally->record->report;
    bool shows_prefixes = tally->config->keys == WATCH_KEYS_PREFIX || tally->config->keys == WATCH_KEYS_FULL;
    watch_report_clear(report);
    report->exists = true;
    report->ended_s = now_s;
    report->length_ms = length_ms;
    report->streams = streams;
    report->fetches = tally->fetches;
    report->distinct = distinct_estimate(&tally->distinct);
    report->evicted[0] = tally->evicted[0];
    report->evicted[1] = tally->evicted[1];
    report_list(tally, tally->keys, false, &report->keys);
    report_list(tally, tally->bytes, false, &report->bytes);
    if (shows_prefixes) report_prefixes(tally, report);
}
