/*
 * What a discovery source found: addresses as text, each with labels. Made once, then only read.
 */
#ifndef DISCOVERY_RESULTS_H
#define DISCOVERY_RESULTS_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* "__meta_zone", "eu-1". Names that begin with "__" never reach a sample; a group's labels may refer to them.
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
    struct results_chunk *texts; /* owned: addresses, labels */
};

void results_init(struct results *found);

/* Frees all; the list is then empty and may be filled again. */
void results_deinit(struct results *found);

/*
 * Copies everything: the address, and the labels in their order. False when out of memory or past RESULTS_MAX;
 * the list is then as it was. Pointers into the list stay good but `targets`, which may move.
 */
bool results_add(struct results *found, struct slice address, const struct results_label *labels,
                 size_t count);

/* The same targets with the same labels in the same order. */
bool results_equal(const struct results *a, const struct results *b);

/*
 * Orders by address, then by labels, and drops what is there twice with the same labels: for sources whose
 * answers come in any order.
 */
void results_sort(struct results *found);

#endif
