/*
 * Reads `watch` and `census`: which events and which items of the servers are looked at. The key itself turns
 * each on; every key below it has a default.
 */
#include "base/container.h"
#include "base/nearest.h"
#include "base/number.h"
#include "config/reading.h"

#include <uv.h>

static int read_stream(struct reading *reading, const struct node *node, unsigned *streams)
{
    struct nearest nearest;
    nearest_init(&nearest, node->text);
    for (enum watch_stream stream = 0; stream < WATCH_STREAM_COUNT; stream++) {
        const char *name = watch_stream_name(stream);
        nearest_try(&nearest, name);
        if (!slice_is(node->text, name)) continue;
        *streams |= WATCH_BIT(stream);
        return 0;
    }
    return reading_reject_name(
        reading, node, "a stream: fetchers, mutations, evictions, deletions or proxyreqs", nearest.name);
}

static int read_streams(struct reading *reading, const struct node *node, void *place)
{
    unsigned *streams = place;
    if (node->kind != NODE_SEQUENCE || !node->first)
        return reading_reject(reading, node, "a list of streams such as fetchers and evictions");
    *streams = 0;
    for (const struct node *item = node->first; item; item = item->next) {
        int result = read_stream(reading, item, streams);
        if (result < 0) return result;
    }
    return 0;
}

static int read_window(struct reading *reading, const struct node *node, void *place)
{
    uint64_t *window_ns = place;
    int result = read_duration(reading, node, place);
    if (result < 0) return result;
    if (*window_ns < WATCH_WINDOW_MIN_NS || *window_ns > WATCH_WINDOW_MAX_NS)
        return reading_reject(reading, node, "a duration from 100ms to 1m");
    return 0;
}

/* Reads a whole number from `least` to `most`, or reports `expected`. */
static int read_count(struct reading *reading, const struct node *node, uint64_t least, uint64_t most,
                      const char *expected, uint64_t *count)
{
    if (node_is_text(node) && number_parse_u64(node->text, count) && *count >= least && *count <= most)
        return 0;
    return reading_reject(reading, node, expected);
}

/* The same for a member that is `unsigned`. */
static int read_small_count(struct reading *reading, const struct node *node, unsigned least, unsigned most,
                            const char *expected, unsigned *count)
{
    uint64_t number = 0;
    int result = read_count(reading, node, least, most, expected, &number);
    if (result == 0) *count = (unsigned) number;
    return result;
}

static int read_servers(struct reading *reading, const struct node *node, void *place)
{
    return read_small_count(reading, node, 1, WATCH_SERVERS_MAX, "a number from 1 to 8", place);
}

static int read_byte_rate(struct reading *reading, const struct node *node, void *place)
{
    return read_count(reading, node, 4096, UINT64_C(1) << 40, "a number of bytes from 4096", place);
}

static int read_keys(struct reading *reading, const struct node *node, void *place)
{
    for (enum watch_keys keys = 0; keys < WATCH_KEYS_COUNT; keys++) {
        *(enum watch_keys *) place = keys;
        if (node_is_text(node) && slice_is(node->text, watch_keys_name(keys))) return 0;
    }
    return reading_reject(reading, node, "none, prefix, hash or full");
}

static int read_separator(struct reading *reading, const struct node *node, void *place)
{
    if (!node_is_text(node) || node->text.len != 1 || node->text.data[0] <= ' ' || node->text.data[0] > '~')
        return reading_reject(reading, node, "one printable character of ASCII, such as \":\"");
    *(char *) place = node->text.data[0];
    return 0;
}

static int read_prefixes(struct reading *reading, const struct node *node, void *place)
{
    return read_small_count(reading, node, 0, WATCH_PREFIXES_MAX, "a number from 0 to 200", place);
}

static int read_hot_keys(struct reading *reading, const struct node *node, void *place)
{
    return read_small_count(reading, node, 1, WATCH_HOT_KEYS_MAX, "a number from 1 to 100", place);
}

/* Reads a list of versions into `versions`, which has room for WATCH_VERSIONS_MAX. */
static int read_versions(struct reading *reading, const struct node *node, struct server_version *versions,
                         size_t *count)
{
    if (node->kind != NODE_SEQUENCE || node->count > WATCH_VERSIONS_MAX)
        return reading_reject(reading, node, "a list of at most 16 versions");
    *count = 0;
    for (const struct node *item = node->first; item; item = item->next) {
        if (!node_is_text(item) || !server_version_parse(item->text, &versions[(*count)++]))
            return reading_reject(reading, item, "a version such as 1.6.18");
    }
    return 0;
}

static int read_watch_trusted(struct reading *reading, const struct node *node, void *place)
{
    struct watch_config *watch = place;
    return read_versions(reading, node, watch->trusted, &watch->trusted_count);
}

static const struct field fields[] = {
    {"streams", read_streams, offsetof(struct watch_config, streams), false},
    {"window", read_window, offsetof(struct watch_config, window_ns), false},
    {"every", read_duration, offsetof(struct watch_config, every_ns), false},
    {"servers", read_servers, offsetof(struct watch_config, servers), false},
    {"bytes_per_second", read_byte_rate, offsetof(struct watch_config, bytes_per_second), false},
    {"keys", read_keys, offsetof(struct watch_config, keys), false},
    {"separator", read_separator, offsetof(struct watch_config, separator), false},
    {"prefixes", read_prefixes, offsetof(struct watch_config, prefixes), false},
    {"hot_keys", read_hot_keys, offsetof(struct watch_config, hot_keys), false},
    {"trusted_versions", read_watch_trusted, 0, false},
};
static const struct schema schema = SCHEMA(fields);

/* The target label is read before, and may be one that only these metrics use. */
int read_watch(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    struct watch_config *watch = &config->watch;
    int result = reading_mapping(reading, node, &schema, watch);
    if (result < 0) return result;
    if (watch->every_ns < 2 * watch->window_ns)
        return reading_reject(reading, node, "every to be at least twice as long as window");
    if (watch_has_label(slice_of(config->target_label)))
        return reading_reject(reading, node, "a target label that the metrics of watching do not use");
    watch->enabled = true;
    return 0;
}

static int read_census_every(struct reading *reading, const struct node *node, void *place)
{
    int result = read_duration(reading, node, place);
    if (result < 0 || *(uint64_t *) place >= CENSUS_EVERY_MIN_NS) return result;
    return reading_reject(reading, node, "a duration of 1h or more");
}

static int read_census_time(struct reading *reading, const struct node *node, void *place)
{
    uint64_t *time_ns = place;
    int result = read_duration(reading, node, place);
    if (result < 0 || (*time_ns >= UINT64_C(1000000000) && *time_ns <= CENSUS_TIME_MAX_NS)) return result;
    return reading_reject(reading, node, "a duration from 1s to 10m");
}

static int read_max_items(struct reading *reading, const struct node *node, void *place)
{
    return read_count(reading, node, 1, UINT64_C(1) << 40, "a number above 0", place);
}

static int read_census_trusted(struct reading *reading, const struct node *node, void *place)
{
    struct census_config *census = place;
    return read_versions(reading, node, census->trusted, &census->trusted_count);
}

static const struct field census_fields[] = {
    {"every", read_census_every, offsetof(struct census_config, every_ns), false},
    {"items", read_max_items, offsetof(struct census_config, max_items), false},
    {"time", read_census_time, offsetof(struct census_config, time_ns), false},
    {"separator", read_separator, offsetof(struct census_config, separator), false},
    {"prefixes", read_prefixes, offsetof(struct census_config, prefixes), false},
    {"trusted_versions", read_census_trusted, 0, false},
};
static const struct schema census_schema = SCHEMA(census_fields);

int read_census(struct reading *reading, const struct node *node, void *place)
{
    struct config *config = place;
    int result = reading_mapping(reading, node, &census_schema, &config->census);
    if (result < 0) return result;
    if (watch_has_label(slice_of(config->target_label)))
        return reading_reject(reading, node, "a target label that the metrics of the census do not use");
    config->census.enabled = true;
    return 0;
}

bool reading_label_is_taken(const struct reading *reading, struct slice name)
{
    if (reading->rules->label_reserved(name)) return true;
    return (reading->config->watch.enabled || reading->config->census.enabled) && watch_has_label(name);
}
