/* A set of texts. It owns its hash table but not the texts, which must outlive it. */
#ifndef BASE_SET_H
#define BASE_SET_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The hash is stored, so that a growing table need not hash long texts again. */
struct set_slot {
    struct slice text; /* data is NULL in a free one */
    uint64_t hash;
};

struct set {
    struct set_slot *slots; /* owned */
    size_t size, count;     /* size: 0 or a power of 2 */
};

/* Allocates nothing. */
void set_init(struct set *set);

void set_deinit(struct set *set);

bool set_has(const struct set *set, struct slice text);

/*
 * Adds a text that is not there yet; its bytes have to outlive the set, and data is not NULL. False when
 * there is no memory. `is_new` tells whether it was added.
 */
bool set_add(struct set *set, struct slice text, bool *is_new);

#endif
