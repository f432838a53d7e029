/*
 * Adds up the items of one server by the prefix of their keys, in bounded memory. Pure.
 *
 * There is room for CENSUS_ROOM times as many prefixes as are kept in the end. When it is full, a new prefix
 * takes the place of one that has not come for long, whose items then count as `other`. So the numbers of a
 * prefix may be too low, if it is rare; those of all prefixes together are exact.
 */
#ifndef WATCH_CENSUS_TALLY_H
#define WATCH_CENSUS_TALLY_H

#include "base/siphash.h"
#include "metrics/histogram.h"
#include "watch/watch_config.h"
#include "watch/watch_record.h"

#define CENSUS_ROOM       4
#define CENSUS_BUCKETS    13
#define CENSUS_PREFIX_MAX WATCH_PREFIX_MAX

/* One item of a dump. */
struct census_item {
    uint64_t size; /* bytes of memory */
    int64_t exp_s; /* when it expires, as Unix time of the server; -1: never */
    int64_t la_s;  /* last access, as Unix time of the server */
    size_t key_len;
    char key[WATCH_KEY_MAX];
};

/* Distributions of a prefix. */
enum census_measure { CENSUS_TTL, CENSUS_IDLE, CENSUS_SIZE, CENSUS_MEASURES };

struct census_prefix {
    uint64_t hash;
    uint64_t items, bytes;
    uint64_t counts[CENSUS_MEASURES][CENSUS_BUCKETS + 1];
    double sums[CENSUS_MEASURES];
    uint8_t credit; /* grows with each item, and falls while others want the place */
    uint8_t len;    /* 0: all other keys */
    char name[CENSUS_PREFIX_MAX];
};

/* The result. The first prefix is for all other keys; the others have the most bytes first. */
struct census_report {
    double ended_s;                 /* Unix time; 0: there is no report */
    uint64_t dropped;               /* items that were not looked at */
    bool complete;                  /* every item was seen, up to `dropped` */
    struct census_prefix *prefixes; /* owned */
    size_t count;
};

/* Empties the report. */
void census_report_clear(struct census_report *report);

/* Returns the distribution of a prefix, valid as long as the prefix. */
struct histogram_view census_view(const struct census_prefix *prefix, enum census_measure measure);

struct census_tally;

/* `config` and `secret` are borrowed. Returns NULL when out of memory. */
struct census_tally *census_tally_new(const struct census_config *config,
                                      const struct siphash_secret *secret);

/* NULL is allowed. */
void census_tally_free(struct census_tally *tally);

/* Adds an item. `now_s` is the Unix time of the server. */
void census_tally_add(struct census_tally *tally, const struct census_item *item, int64_t now_s);

/* Makes the report from the tally. Returns 0 or UV_ENOMEM; the report is empty then. */
int census_tally_report(struct census_tally *tally, struct census_report *report);

/*
 * Reads a line of `lru_crawler metadump`: key=a%3Ab exp=-1 la=1700000000 cas=5 fetch=no cls=1 size=65.
 * Returns false if it is none.
 */
bool census_item_read(struct slice line, struct census_item *item);

#endif
