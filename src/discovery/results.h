/*
 * The targets that a source found: addresses as text, each with labels. Filled once, then only read.
 */
#ifndef DISCOVERY_RESULTS_H
#define DISCOVERY_RESULTS_H

#include "base/arena.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * "__meta_zone", "eu-1". Names that begin with "__" never reach a sample; a group's labels may refer to them.
 */
struct results_label {
    const char *name, *value; /* owned by the list */
};

struct results_target {
    const char *address; /* a form of net/address.h, checked; owned by the list */
    const struct results_label *labels;
    size_t label_count;
};

/* Sources may find so many; more are a failure. */
#define RESULTS_MAX 100000

struct results {
    struct results_target *targets; /* owned */
    size_t count, size;
    struct arena texts;          /* addresses, labels */
    size_t dropped;              /* targets that are no addresses, and were left out */
    const char *dropped_example; /* the first dropped target and what was expected instead; NULL for none */
};

void results_init(struct results *found);

/* Frees all; the list is then empty and may be filled again. */
void results_deinit(struct results *found);

/*
 * Copies everything: the address, and the labels in their order. False when out of memory or past
 * RESULTS_MAX; the list is then as it was. Pointers into the list stay good but `targets`, which may move.
 */
bool results_add(struct results *found, struct slice address, const struct results_label *labels,
                 size_t count);

/*
 * Counts targets that were left out because they are not addresses. `what` names one of them and what was
 * expected; the first `what` is copied. False when out of memory.
 */
bool results_drop(struct results *found, const char *what, size_t count);

/* The same targets with the same labels in the same order, and as many left out. */
bool results_equal(const struct results *a, const struct results *b);

/*
 * Sorts by address, then by labels, and drops duplicates. For sources that return their targets in any order.
 */
void results_sort(struct results *found);

#endif
