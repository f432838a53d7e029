#include "watch/watch_config.h"

#include "base/container.h"

#define SECOND UINT64_C(1000000000)

void watch_config_init(struct watch_config *config)
{
    *config = (struct watch_config){
        .streams = WATCH_BIT(WATCH_FETCHERS) | WATCH_BIT(WATCH_MUTATIONS) | WATCH_BIT(WATCH_EVICTIONS),
        .window_ns = 2 * SECOND,
        .every_ns = 60 * SECOND,
        .servers = 8,
        .bytes_per_second = 8 * 1024 * 1024,
        .keys = WATCH_KEYS_PREFIX,
        .separator = ':',
        .prefixes = 20,
        .hot_keys = 10,
    };
}

void census_config_init(struct census_config *config)
{
    *config = (struct census_config){
        .every_ns = CENSUS_EVERY_MIN_NS,
        .max_items = 10000000,
        .time_ns = 60 * SECOND,
        .separator = ':',
        .prefixes = 20,
    };
}

const char *watch_stream_name(enum watch_stream stream)
{
    static const char *const names[] = {
        [WATCH_FETCHERS] = "fetchers",   [WATCH_MUTATIONS] = "mutations", [WATCH_EVICTIONS] = "evictions",
        [WATCH_DELETIONS] = "deletions", [WATCH_PROXYREQS] = "proxyreqs",
    };
    return names[stream];
}

const char *watch_keys_name(enum watch_keys keys)
{
    static const char *const names[] = {
        [WATCH_KEYS_NONE] = "none",
        [WATCH_KEYS_PREFIX] = "prefix",
        [WATCH_KEYS_HASH] = "hash",
        [WATCH_KEYS_FULL] = "full",
    };
    return names[keys];
}

bool watch_has_label(struct slice name)
{
    static const char *const names[] = {"backend", "fetched", "prefix", "rank",
                                        "result",  "status",  "stream", "where"};
    for (size_t n = 0; n < ARRAY_LEN(names); n++) {
        if (slice_is(name, names[n])) return true;
    }
    return false;
}

/* Returns true if the version is in the list. */
static bool has_version(const struct server_version *list, size_t count, const struct server_version *version)
{
    for (size_t n = 0; n < count; n++) {
        if (server_version_compare(&list[n], version) == 0) return true;
    }
    return false;
}

bool watch_config_trusts(const struct watch_config *config, const struct server_version *version)
{
    return has_version(config->trusted, config->trusted_count, version);
}

bool census_config_trusts(const struct census_config *config, const struct server_version *version)
{
    return has_version(config->trusted, config->trusted_count, version);
}

bool watch_config_equals(const struct watch_config *a, const struct watch_config *b)
{
    for (size_t n = 0; n < a->trusted_count; n++) {
        if (!watch_config_trusts(b, &a->trusted[n])) return false;
    }
    return a->enabled == b->enabled && a->streams == b->streams && a->window_ns == b->window_ns &&
           a->every_ns == b->every_ns && a->servers == b->servers &&
           a->bytes_per_second == b->bytes_per_second && a->keys == b->keys && a->separator == b->separator &&
           a->prefixes == b->prefixes && a->hot_keys == b->hot_keys && a->trusted_count == b->trusted_count;
}

bool census_config_equals(const struct census_config *a, const struct census_config *b)
{
    for (size_t n = 0; n < a->trusted_count; n++) {
        if (!census_config_trusts(b, &a->trusted[n])) return false;
    }
    return a->enabled == b->enabled && a->every_ns == b->every_ns && a->max_items == b->max_items &&
           a->time_ns == b->time_ns && a->separator == b->separator && a->prefixes == b->prefixes &&
           a->trusted_count == b->trusted_count;
}
