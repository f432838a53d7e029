/*
 * What a discovery source found: addresses as text, each with labels. Made once, then only read.
 */
#ifndef DISCOVERY_FOUND_H
#define DISCOVERY_FOUND_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>

/* "__meta_zone", "eu-1". Names that begin with "__" never reach a sample; a group's labels may refer to them.
 */
struct found_label {
    const char *name, *value; /* owned by the list */
};

struct found_target {
    const char *address; /* a form of net/address.h, checked; owned by the list */
    const struct found_label *labels;
    size_t label_count;
};

/* Sources may find so many; more are a failure. */
#define FOUND_MAX 100000

struct found {
    struct found_target *targets; /* owned */
    size_t count, size;
    struct found_chunk *texts; /* owned: addresses, labels */
};

void found_init(struct found *found);

/* Frees all; the list is then empty and may be filled again. */
void found_deinit(struct found *found);

/*
 * Copies everything: the address, and the labels in their order. False when out of memory or past FOUND_MAX;
 * the list is then as it was. Pointers into the list stay good but `targets`, which may move.
 */
bool found_add(struct found *found, struct slice address, const struct found_label *labels, size_t count);

/* The same targets with the same labels in the same order. */
bool found_equal(const struct found *a, const struct found *b);

/*
 * Orders by address, then by labels, and drops what is there twice with the same labels: for sources whose
 * answers come in any order.
 */
void found_sort(struct found *found);

#endif
