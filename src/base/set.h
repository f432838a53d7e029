/* A set of texts. It owns its hash table but not the texts, which must outlive the set. */
#ifndef BASE_SET_H
#define BASE_SET_H

#include "base/slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The stored hash saves hashing long texts again when the table grows. */
struct set_slot {
    struct slice text; /* text.data is NULL in a free slot */
    uint64_t hash;
};

struct set {
    struct set_slot *slots; /* owned */
    size_t size, count;     /* size: number of slots, 0 or a power of 2 */
};

/* Initialises an empty set. Allocates nothing. */
void set_init(struct set *set);

void set_deinit(struct set *set);

bool set_has(const struct set *set, struct slice text);

/*
 * Adds `text` unless the set already has it. The bytes must outlive the set, and `text.data` must not be
 * NULL. `is_new` tells whether `text` was added. Returns false when out of memory.
 */
bool set_add(struct set *set, struct slice text, bool *is_new);

#endif
