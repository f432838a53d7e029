/*
 * What the exporter remembers of a server between polls, for people who look at the fleet: its state and
 * since when, the times of its last polls, and the most important figures. Small and of fixed size, since
 * there is one for each server. The samples themselves are in the snapshots. Pure.
 */
#ifndef MEMCACHED_HISTORY_H
#define MEMCACHED_HISTORY_H

#include "base/buffer.h"
#include "memcached/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Number of polls whose times are remembered. */
#define HISTORY_POLLS 60

/* Shortest time between two polls from which a rate is computed. A shorter time gives no useful rate. */
#define HISTORY_RATE_SPAN_MS 1000

enum vital {
    VITAL_UPTIME, /* seconds */
    VITAL_ITEMS,
    VITAL_BYTES,
    VITAL_LIMIT_BYTES,
    VITAL_HITS, /* hits of get since the server started; the next three also count since then */
    VITAL_MISSES,
    VITAL_SETS,
    VITAL_EVICTIONS,
    VITAL_CONNECTIONS,
    VITAL_MAX_CONNECTIONS,
    VITAL_TIME,     /* the server's clock, in seconds since the unix epoch */
    VITAL_RECEIVED, /* bytes, since the server started; every poll adds some */
    VITAL_COUNT,
};

enum vital_rate { RATE_GETS, RATE_SETS, RATE_EVICTIONS, RATE_COUNT };

/* What people compare servers by. */
enum figure {
    FIGURE_STATE,  /* enum target_state; -1 for a server that was not asked yet */
    FIGURE_TIME,   /* us that the last poll took */
    FIGURE_UPTIME, /* seconds */
    FIGURE_ITEMS,
    FIGURE_BYTES,
    FIGURE_HIT_RATIO, /* 0 to 1 */
    FIGURE_GETS,      /* the next three per second */
    FIGURE_SETS,
    FIGURE_EVICTIONS,
    FIGURE_CONNECTIONS,
};

struct history {
    enum target_state state;
    uint64_t since_ms;            /* start of the current state; all times are on the caller's clock */
    uint64_t polled_ms;           /* end of the last poll */
    char *error;                  /* why the server is not up; owned; NULL if it is up, or if out of memory */
    char version[24];             /* printable ASCII; "" if the server did not say */
    unsigned known;               /* set of vitals: 1u << VITAL_... */
    uint64_t vitals[VITAL_COUNT]; /* figures of the last poll that was up */
    uint64_t vitals_ms;           /* end of that poll; 0: no poll was up */
    uint64_t base[RATE_COUNT];    /* counters of an earlier poll, from which rates are computed */
    uint64_t base_ms;             /* end of that earlier poll; 0: none */
    float rates[RATE_COUNT];      /* per second */
    uint32_t span_ms;             /* time that `rates` span; 0: rates not known yet */
    uint32_t start_s;             /* when the server started, on its own clock; 0: not known */
    bool reset;                   /* counters went back since then: `stats reset` */
    uint8_t times[HISTORY_POLLS]; /* ring of packed poll times; see history_time_us */
    uint8_t count, next;          /* number of times in the ring, and index of the next one */
};

/* Adds a finished snapshot. Zeroed memory is a history without polls. */
void history_observe(struct history *history, const struct snapshot *snapshot, uint64_t now_ms);

bool history_knows(const struct history *history, enum vital vital);

/*
 * Returns since when the server's counters count, in seconds since the unix epoch. Returns 0 if that is not
 * known, for example after a `stats reset`, which shows by a counter that went back.
 */
uint32_t history_counters_since(const struct history *history);

/* Returns the vital; 0 if it is not known. */
uint64_t history_vital(const struct history *history, enum vital vital);

/* Sets the figure and returns true, or returns false if it is not known. A zeroed history knows its state. */
bool history_figure(const struct history *history, enum figure figure, double *value);

/* Appends a figure for people: "2.4 ms", "1 d 2 h", "1.0 MiB of 4.0 MiB", "75.0 %", "7 of 1024". */
void history_append_figure(const struct history *history, enum figure figure, double value,
                           struct buffer *out);

/* Sums over servers. Starts zeroed. */
struct history_totals {
    size_t up, polled, servers;
    uint64_t items, bytes, limit, hits, misses; /* of servers that are up, as are the rates */
    double rates[RATE_COUNT];
};

/* Adds a server. A history without polls is that of a server that was not asked yet. */
void history_add_up(struct history_totals *totals, const struct history *history);

/*
 * Returns how long the n-th of the remembered polls took, oldest first; at most 7 % off. n < history->count.
 */
uint64_t history_time_us(const struct history *history, size_t n);

/* Frees the memory that the history owns. */
void history_deinit(struct history *history);

#endif
