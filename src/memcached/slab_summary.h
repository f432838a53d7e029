/*
 * What the slab classes of a server amount to together: a handful of figures, where the classes themselves
 * are thousands of series. Pure.
 *
 * The figures are made of `stats slabs` and `stats items` of one poll. The counters of these count since the
 * server started, so a class "has evicted" if it did so at any time since then (or since a `stats reset`).
 * Source of the stats: memcached's doc/protocol.txt, "Item statistics" and "Slab statistics".
 */
#ifndef MEMCACHED_SLAB_SUMMARY_H
#define MEMCACHED_SLAB_SUMMARY_H

#include "memcached/snapshot_builder.h"

#include <stdbool.h>
#include <stdint.h>

struct slab_summary {
    /*
     * Bytes of used chunks that no item fills: used_chunks * chunk_size of all classes, less their
     * mem_requested, at least 0. A large item has chunks in several classes and counts in one of them, so
     * only the sum over all classes is meaningful.
     */
    uint64_t wasted_bytes;
    bool has_wasted;           /* false: chunks are used, and the server says mem_requested of no class */
    unsigned classes_evicting; /* number of classes that have evicted */
    /*
     * evicted_time: seconds since the last access of the item that a class evicted last; the least of the
     * classes that have evicted. Means nothing if none has
     */
    uint64_t eviction_age_s;
    /* free_chunks * chunk_size of all classes that have not evicted; 0 if no class has evicted */
    uint64_t free_while_evicting_bytes;
    uint64_t limit_bytes; /* limit_maxbytes of `stats`; 0: not known */
};

/* Computes the summary from sorted lines. Without lines of both commands, its figures mean nothing. */
void slab_summary_make(struct slab_summary *summary, const struct snapshot_builder *builder);

/* Returns the share of the server's memory that lies free while it evicts; 0 if the limit is not known. */
double slab_summary_imbalance(const struct slab_summary *summary);

#endif
