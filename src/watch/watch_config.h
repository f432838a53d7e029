/*
 * The settings of watching: which events of the servers are looked at, how much, and what is shown of keys.
 * They come from the key `watch` of the configuration file. Without that key, nothing is watched.
 */
#ifndef WATCH_WATCH_CONFIG_H
#define WATCH_WATCH_CONFIG_H

#include "base/slice.h"
#include "memcached/server_version.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Streams of memcached's log, by the words of its command `watch`. */
enum watch_stream {
    WATCH_FETCHERS,
    WATCH_MUTATIONS,
    WATCH_EVICTIONS,
    WATCH_DELETIONS,
    WATCH_PROXYREQS,
    WATCH_STREAM_COUNT,
};
#define WATCH_BIT(stream) (1u << (stream))

/* What is shown of keys. */
enum watch_keys {
    WATCH_KEYS_NONE,   /* nothing, not even prefixes */
    WATCH_KEYS_PREFIX, /* the part before the separator */
    WATCH_KEYS_HASH,   /* a hash, and no prefix */
    WATCH_KEYS_FULL,   /* the key */
    WATCH_KEYS_COUNT,
};

#define WATCH_VERSIONS_MAX 16

/* Limits of values, which the configuration file is held to. */
#define WATCH_WINDOW_MIN_NS UINT64_C(100000000)   /* 100 ms */
#define WATCH_WINDOW_MAX_NS UINT64_C(60000000000) /* 60 s */
#define WATCH_SERVERS_MAX   8
#define WATCH_PREFIXES_MAX  200
#define WATCH_HOT_KEYS_MAX  100

struct watch_config {
    bool enabled;
    unsigned streams; /* set of enum watch_stream */
    uint64_t window_ns, every_ns;
    unsigned servers;          /* most servers that are watched at once */
    uint64_t bytes_per_second; /* most bytes of the log that are read from one server */
    enum watch_keys keys;
    char separator;    /* ends the prefix of a key */
    unsigned prefixes; /* most prefixes with series of their own, for each server */
    unsigned hot_keys; /* number of hot keys, and the highest rank */
    struct server_version trusted[WATCH_VERSIONS_MAX]; /* versions to watch although they are old */
    size_t trusted_count;
};

/* The settings of the census of keys: which servers' items are counted, and within which limits. */
struct census_config {
    bool enabled;
    uint64_t every_ns;  /* time between two censuses of a server */
    uint64_t max_items; /* most items of a server */
    uint64_t time_ns;   /* most time for a server */
    char separator;     /* ends the prefix of a key */
    unsigned prefixes;  /* most prefixes with series of their own, for each server */
    struct server_version trusted[WATCH_VERSIONS_MAX]; /* versions to ask although they are old */
    size_t trusted_count;
};

#define CENSUS_EVERY_MIN_NS UINT64_C(3600000000000) /* 1 h */
#define CENSUS_TIME_MAX_NS  UINT64_C(600000000000)  /* 10 min */

/* Set all defaults. `enabled` is false. */
void watch_config_init(struct watch_config *config);
void census_config_init(struct census_config *config);

/* Return true if both say the same. */
bool watch_config_equals(const struct watch_config *a, const struct watch_config *b);
bool census_config_equals(const struct census_config *a, const struct census_config *b);

/* Returns the word for a stream or a way to show keys. */
const char *watch_stream_name(enum watch_stream stream);
const char *watch_keys_name(enum watch_keys keys);

/* Returns true if metrics of watching have a label of this name, so that no target may have it. */
bool watch_has_label(struct slice name);

/* Return true if the operator trusts exactly this version. */
bool watch_config_trusts(const struct watch_config *config, const struct server_version *version);
bool census_config_trusts(const struct census_config *config, const struct server_version *version);

#endif
