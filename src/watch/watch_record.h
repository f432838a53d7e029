/*
 * What watching one server has shown: counts since the start, and the results of the last window. Pure.
 *
 * Its memory is bounded, whatever a server sends. Keys are kept only as far as the settings show them.
 */
#ifndef WATCH_WATCH_RECORD_H
#define WATCH_WATCH_RECORD_H

#include "metrics/histogram.h"
#include "watch/watch_config.h"
#include "watch/watch_event.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Why events are missing. */
enum watch_skip {
    WATCH_SKIP_WORKER,   /* a thread of the server had no room for them (log_worker_dropped) */
    WATCH_SKIP_WATCHER,  /* the exporter read too slowly for the server (skipped=) */
    WATCH_SKIP_EXPORTER, /* the exporter could not read a line */
    WATCH_SKIP_COUNT,
};

/* How a window ended. */
enum watch_result {
    WATCH_COMPLETE,
    WATCH_DROPPED,     /* early: the server dropped events */
    WATCH_BUDGET,      /* early: the server sent more bytes than bytes_per_second allows */
    WATCH_UNSUPPORTED, /* nothing was watched: the server is too old */
    WATCH_REFUSED,     /* the server refused the command */
    WATCH_FAILED,      /* the connection failed or ended, or the server did not answer in time */
    WATCH_RESULT_COUNT,
};

const char *watch_skip_name(enum watch_skip skip);
const char *watch_result_name(enum watch_result result);

#define WATCH_PREFIX_MAX     64
#define WATCH_BACKEND_MAX    128
#define WATCH_BACKENDS_MAX   16
#define WATCH_PROXY_STATUSES 3

/* A prefix with series of its own. Printable ASCII, not NUL-terminated. */
struct watch_prefix {
    uint64_t hash;
    uint64_t found, not_found;
    uint8_t len;
    char name[WATCH_PREFIX_MAX];
};

/* Requests that a proxy sent to one backend. */
struct watch_backend {
    struct histogram durations[WATCH_PROXY_STATUSES]; /* by status */
    bool observed[WATCH_PROXY_STATUSES];              /* true if there was a request with that status */
    uint8_t len;                                      /* 0: all backends beyond the limit */
    char name[WATCH_BACKEND_MAX];
};

/* A hot key or prefix, as it may be shown. */
struct hot_key {
    uint64_t count, error; /* number of fetches, or of bytes */
    struct slice text;     /* borrowed from the list; empty: nothing may be shown */
};

struct hot_list {
    uint64_t total, bound; /* sum over all keys, and the largest error of a count */
    size_t count;
    struct hot_key *items; /* owned; the hottest first */
    char *texts;           /* owned; all texts */
};

/* Results of the last window that has watched. */
struct watch_report {
    bool exists;
    double ended_s; /* Unix time */
    uint64_t length_ms;
    unsigned streams; /* streams that were watched */
    uint64_t fetches;
    double distinct;     /* number of different keys that were fetched */
    uint64_t evicted[2]; /* evicted items: never fetched, fetched */
    struct hot_list keys, bytes, prefixes;
};

struct watch_record {
    uint64_t events[WATCH_STREAM_COUNT][WATCH_STATUSES_MAX];
    unsigned streams; /* streams that were ever watched */
    uint64_t skipped[WATCH_SKIP_COUNT];
    uint64_t windows[WATCH_RESULT_COUNT];
    struct histogram stored_ttl, stored_size, evicted_idle, evicted_ttl;
    struct watch_prefix *prefixes; /* owned */
    size_t prefix_count, prefix_size;
    struct watch_prefix other;      /* fetches of all other keys */
    struct watch_backend *backends; /* owned; the last one is for all other backends */
    size_t backend_count, backend_size;
    struct watch_report report;
};

/* `now_s` is the Unix time. Allocates nothing. */
void watch_record_init(struct watch_record *record, double now_s);
void watch_record_deinit(struct watch_record *record);

/*
 * Counts an event. `prefix` is the prefix of its key, or empty, and `hash` its hash. Returns true if the
 * prefix has series of its own.
 */
bool watch_record_count(struct watch_record *record, const struct watch_event *event, struct slice prefix,
                        uint64_t hash, double now_s);

/* Gives a prefix series of its own, if there is room among `most` and it has none. */
void watch_record_add_prefix(struct watch_record *record, struct slice prefix, uint64_t hash, size_t most);

/*
 * Returns true if the text can be the value of a label: printable ASCII, so that no two texts get the same
 * label, and not "other", which is the label of the rest.
 */
bool watch_is_label_value(struct slice text);

/* Empties the report, which then shows nothing. */
void watch_report_clear(struct watch_report *report);

#endif
