/*
 * Lines of memcached's log and of its dump of keys. Whatever they contain: what was read of a key is that
 * key, every event is counted once, and what is shown of keys can be the value of a label, but for whole
 * keys.
 */
#include "fault.h"
#include "target.h"
#include "watch/census_tally.h"
#include "watch/window_tally.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NOW_S 1700000000

static const struct siphash_secret secret = {{1, 2}};

struct tallies {
    struct window_tally *window;
    struct census_tally *census;
    uint64_t events, items, bytes;
};

/* An encoded key is read as itself, however it was encoded in the line. */
static void check_key(const char *key, size_t len)
{
    char text[3 * WATCH_KEY_MAX + 1], again[WATCH_KEY_MAX];
    expect(len > 0 && len <= WATCH_KEY_MAX);
    for (size_t n = 0; n < len; n++) sprintf(text + 3 * n, "%%%02X", (unsigned char) key[n]);
    expect(watch_decode_key((struct slice){text, 3 * len}, again) == len && memcmp(again, key, len) == 0);
}

static void check_event(const struct watch_event *event, struct slice line)
{
    expect(event->stream < WATCH_STREAM_COUNT);
    expect(watch_status_name(event->stream, event->status));
    expect(event->ttl_s >= -1 || event->stream == WATCH_EVICTIONS);
    if (event->stream != WATCH_PROXYREQS) {
        check_key(event->key, event->key_len);
    } else if (event->backend.len) {
        expect(event->backend.data >= line.data);
        expect(event->backend.data + event->backend.len <= line.data + line.len);
    }
}

/* Reads a line from memory of its own, so that a byte behind it is not read unnoticed. */
static void read_line(struct tallies *tallies, const uint8_t *bytes, size_t len)
{
    struct watch_event event;
    struct census_item item;
    char *copy = malloc(len ? len : 1);
    if (!copy) fault("the fuzzer is out of memory");
    if (len) memcpy(copy, bytes, len);
    struct slice line = {copy, len};
    watch_event_read(line, &event);
    if (event.kind == WATCH_EVENT) {
        check_event(&event, line);
        window_tally_add(tallies->window, &event, NOW_S);
        tallies->events++;
    }
    if (census_item_read(line, &item)) {
        check_key(item.key, item.key_len);
        census_tally_add(tallies->census, &item, NOW_S);
        tallies->items++;
        tallies->bytes += item.size;
    }
    free(copy);
}

static void check_list(const struct hot_list *list, bool any_text)
{
    for (size_t n = 0; n < list->count; n++) {
        expect(any_text || watch_is_label_value(list->items[n].text));
        expect(n == 0 || list->items[n].count <= list->items[n - 1].count);
    }
}

static void check_record(const struct watch_record *record, uint64_t events, bool shows_keys)
{
    uint64_t counted = 0;
    for (size_t stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        for (size_t n = 0; n < WATCH_STATUSES_MAX; n++) counted += record->events[stream][n];
    }
    expect(counted == events);
    expect(record->backend_count <= WATCH_BACKENDS_MAX + 1);
    check_list(&record->report.keys, shows_keys);
    check_list(&record->report.bytes, shows_keys);
    check_list(&record->report.prefixes, false);
}

static void check_census(const struct census_report *report, const struct tallies *tallies)
{
    uint64_t items = 0, bytes = 0;
    for (size_t n = 0; n < report->count; n++) {
        const struct census_prefix *prefix = &report->prefixes[n];
        expect(n == 0 || watch_is_label_value((struct slice){prefix->name, prefix->len}));
        items += prefix->items;
        bytes += prefix->bytes;
    }
    expect(items == tallies->items && bytes == tallies->bytes);
}

/* The first byte says what is shown of keys, and how many prefixes the census keeps. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct watch_config config;
    struct census_config census;
    struct watch_record record;
    struct census_report report = {0};
    if (size == 0) return 0;
    watch_config_init(&config);
    census_config_init(&census);
    config.keys = data[0] % WATCH_KEYS_COUNT;
    census.prefixes = data[0] / WATCH_KEYS_COUNT % 4;
    watch_record_init(&record, NOW_S);
    struct tallies tallies = {window_tally_new(&config, &secret, &record), census_tally_new(&census, &secret),
                              0, 0, 0};
    if (!tallies.window || !tallies.census) fault("the fuzzer is out of memory");
    for (const uint8_t *line = data + 1, *end = data + size; line < end;) {
        const uint8_t *next = memchr(line, '\n', (size_t) (end - line));
        size_t len = (size_t) ((next ? next : end) - line);
        read_line(&tallies, line, len);
        line += len + 1;
    }
    window_tally_report(tallies.window, WATCH_BIT(WATCH_FETCHERS), 1000, NOW_S);
    check_record(&record, tallies.events, config.keys == WATCH_KEYS_FULL);
    if (census_tally_report(tallies.census, &report) < 0) fault("the fuzzer is out of memory");
    check_census(&report, &tallies);
    census_report_clear(&report);
    window_tally_free(tallies.window);
    census_tally_free(tallies.census);
    watch_record_deinit(&record);
    return 0;
}
