/*
 * What is remembered of a server between polls, for people who look at the fleet: its state and since when,
 * the times of its last polls, and the figures that say most. Small and of fixed size, since there is one for
 * each server; the samples themselves are in the snapshots. Pure.
 */
#ifndef MEMCACHED_HISTORY_H
#define MEMCACHED_HISTORY_H

#include "memcached/snapshot.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Polls whose times are remembered. */
#define HISTORY_POLLS 60

/* Rates are taken between two polls that are at least so far apart: closer ones say little. */
#define HISTORY_RATE_SPAN_MS 1000

enum vital {
    VITAL_UPTIME, /* seconds */
    VITAL_ITEMS,
    VITAL_BYTES,
    VITAL_LIMIT_BYTES,
    VITAL_HITS, /* of get, since the server started; as are the next three */
    VITAL_MISSES,
    VITAL_SETS,
    VITAL_EVICTIONS,
    VITAL_CONNECTIONS,
    VITAL_MAX_CONNECTIONS,
    VITAL_COUNT,
};

enum vital_rate { RATE_GETS, RATE_SETS, RATE_EVICTIONS, RATE_COUNT };

struct history {
    enum target_state state;
    uint64_t since_ms;            /* the state is the same; on the caller's clock, as all times */
    uint64_t polled_ms;           /* the end of the last poll */
    char *error;                  /* why it is not up; owned; NULL when it is, or without memory */
    char version[24];             /* printable ASCII; "" if the server did not say */
    unsigned known;               /* set of vitals: 1u << VITAL_... */
    uint64_t vitals[VITAL_COUNT]; /* as the last poll that was up said */
    uint64_t vitals_ms;           /* the end of that poll; 0: none was up */
    uint64_t base[RATE_COUNT];    /* counters of an earlier poll */
    uint64_t base_ms;             /* its end; 0: none */
    float rates[RATE_COUNT];      /* per second */
    uint32_t span_ms;             /* they are over so long; 0: not known yet */
    uint8_t times[HISTORY_POLLS]; /* a ring; see history_time_us */
    uint8_t count, next;          /* of the ring */
};

/* Zeroed memory is a history without polls. Adds a finished snapshot. */
void history_observe(struct history *history, const struct snapshot *snapshot, uint64_t now_ms);

bool history_knows(const struct history *history, enum vital vital);

/* How long the n-th of the remembered polls took, the oldest first; at most 7 % off. n < history->count. */
uint64_t history_time_us(const struct history *history, size_t n);

/* Frees what it owns. */
void history_deinit(struct history *history);

#endif
