/* The targets that a source found: addresses as text, each with labels. Filled once, then only read. */
#ifndef DISCOVERY_RESULTS_H
#define DISCOVERY_RESULTS_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * For example "__meta_zone", "eu-1". Labels that begin with "__" are never put on a sample, but a group's
 * labels may refer to them.
 */
struct results_label {
    const char *name, *value; /* owned by the list */
};

struct results_target {
    const char *address; /* in a form of net/address.h, checked; owned by the list */
    const struct results_label *labels;
    size_t label_count;
};

/* Most targets that a source may find. If it finds more, the source has failed. */
#define RESULTS_MAX 100000

struct results {
    struct results_target *targets; /* owned */
    size_t count, size;
    struct arena texts;          /* memory of addresses and labels */
    size_t dropped;              /* number of targets that were left out because they are not addresses */
    const char *dropped_example; /* first dropped target and what was expected; NULL: none */
};

void results_init(struct results *found);

/* Frees everything. The list is then empty and may be filled again. */
void results_deinit(struct results *found);

/*
 * Adds a copy of the address and of the labels, in order. Returns false when out of memory, or at
 * RESULTS_MAX; no target is added then. Other pointers into the list stay valid, but `targets` may move.
 */
bool results_add(struct results *found, struct slice address, const struct results_label *labels,
                 size_t count);

/*
 * Counts targets that were left out because they are not addresses. `what` names one of them and what was
 * expected; the first `what` is copied. Returns false when out of memory.
 */
bool results_drop(struct results *found, const char *what, size_t count);

/*
 * Returns true if both have the same targets, with the same labels, in the same order, and left out the same
 * number of targets.
 */
bool results_equal(const struct results *a, const struct results *b);

/*
 * Sorts by address, then by labels, and removes duplicates. For sources that return their targets in any
 * order.
 */
void results_sort(struct results *found);

#endif
