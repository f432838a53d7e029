/*
 * Counts the events of one window on one server, in fixed memory that is freed at its end. Pure.
 *
 * Hot keys and prefixes come from Space-Saving with WINDOW_COUNTERS counters, so a count may be too high by
 * at most 1/WINDOW_COUNTERS of all fetches. Distinct keys come from HyperLogLog.
 */
#ifndef WATCH_WINDOW_TALLY_H
#define WATCH_WINDOW_TALLY_H

#include "base/siphash.h"
#include "watch/watch_record.h"

#define WINDOW_COUNTERS        1024
#define WINDOW_PREFIX_COUNTERS 256

/* A prefix gets series of its own once it has this share of the fetches of a window. */
#define WINDOW_PREFIX_SHARE 0.01

struct window_tally;

/*
 * Allocates about 700 KB. Counts also in `record`. `config` and `secret` are borrowed, as is the record.
 * Returns NULL when out of memory.
 */
struct window_tally *window_tally_new(const struct watch_config *config, const struct siphash_secret *secret,
                                      struct watch_record *record);

/* NULL is allowed. */
void window_tally_free(struct window_tally *tally);

/* Counts an event of a stream. `now_s` is the Unix time. */
void window_tally_add(struct window_tally *tally, const struct watch_event *event, double now_s);

/* Replaces the record's report. Without memory, the report shows no keys. */
void window_tally_report(const struct window_tally *tally, unsigned streams, uint64_t length_ms,
                         double now_s);

/* Returns the prefix of a key: the part before the separator, or empty if that cannot be a prefix. */
struct slice window_prefix(struct slice key, char separator);

#endif
