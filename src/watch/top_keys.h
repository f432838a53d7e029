/*
 * The keys that occur most often among very many, in fixed memory. Pure.
 *
 * This is Space-Saving (Metwally, Agrawal, El Abbadi: "Efficient computation of frequent and top-k elements
 * in data streams", ICDT 2005). A fixed number of counters each count one key. A key without a counter takes
 * over the smallest counter, together with its count. With m counters and the weights of all keys adding up
 * to N, these bounds always hold:
 *
 *     count - error <= true count <= count,   error <= N / m
 *
 * Every key with more than N / m has a counter. Weights may be 1, or the size of a value.
 */
#ifndef WATCH_TOP_KEYS_H
#define WATCH_TOP_KEYS_H

#include "base/slice.h"

#include <stddef.h>
#include <stdint.h>

/* Longest key of memcached, in bytes. */
#define TOP_KEYS_KEY_MAX 250

/* Most counters. */
#define TOP_KEYS_COUNTERS_MAX 32768

struct top_keys;

/* One key with its counter. */
struct top_key {
    struct slice key; /* borrowed, valid until the next top_keys_add */
    uint64_t hash;
    uint64_t count, error;
};

/*
 * Allocates all memory: about 290 bytes for each counter. `counters` is from 1 to TOP_KEYS_COUNTERS_MAX
 * (asserted). Returns NULL when out of memory.
 */
struct top_keys *top_keys_new(size_t counters);

/* NULL is allowed. */
void top_keys_free(struct top_keys *top);

/*
 * Adds `weight` to the key. The key has at most TOP_KEYS_KEY_MAX bytes (asserted). `hash` is its hash, with a
 * secret, so that nobody can choose keys that collide. Takes logarithmic time in the number of counters.
 */
void top_keys_add(struct top_keys *top, struct slice key, uint64_t hash, uint64_t weight);

/* Returns the sum of all weights. */
uint64_t top_keys_total(const struct top_keys *top);

/* Returns the largest error that a counter may have: N / m. */
uint64_t top_keys_bound(const struct top_keys *top);

/*
 * Writes the keys with the largest counts to `best`, at most `most`, the largest first. Returns their number.
 */
size_t top_keys_best(const struct top_keys *top, struct top_key *best, size_t most);

#endif
