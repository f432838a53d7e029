/*
 * One census of one server: `lru_crawler metadump` for one slab class after the other, never `hash`, which
 * walks the whole table.
 *
 *     census_start -> on_done -> census_free
 *
 * A census reads all the time, so that the server's crawler never waits for it: what it has no time to look
 * at, it drops and counts. It ends at its limits of items and time. It does not begin on servers older than
 * 1.6.44, which write past a buffer while a reader stalls (memcached's crawler.c), unless the operator trusts
 * the version.
 */
#ifndef WATCH_CENSUS_H
#define WATCH_CENSUS_H

#include "watch/census_tally.h"
#include "watch/feed.h"

/* How a census ended. */
enum census_result {
    CENSUS_COMPLETE,
    CENSUS_LIMITED,     /* at its limit of items or time; what was seen counts */
    CENSUS_BUSY,        /* the server's crawler was busy all the time */
    CENSUS_UNSUPPORTED, /* nothing was asked: the server is too old */
    CENSUS_REFUSED,     /* the server does not dump */
    CENSUS_FAILED,      /* the connection failed or ended */
    CENSUS_RESULT_COUNT,
};

const char *census_result_name(enum census_result result);

/* Borrowed until the census is freed. */
struct census_plan {
    struct feed_plan feed;
    const struct census_config *config;
    const struct siphash_secret *secret;
    struct census_report *report; /* replaced when the census is complete or limited */
};

typedef void (*census_fn)(void *context, enum census_result result, const char *why);

struct census;

/*
 * Starts a census. Returns 0; on_done then runs once, from the loop, unless the census is freed first. Or
 * returns a negative libuv code.
 */
int census_start(struct census **census, const struct census_plan *plan, census_fn on_done, void *context);

/* Ends the census. May be called in on_done. NULL is allowed. */
void census_free(struct census *census);

#endif
