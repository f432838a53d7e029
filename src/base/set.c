#include "base/set.h"

#include "base/hash.h"

#include <stdlib.h>

void set_init(struct set *set)
{
    *set = (struct set){0};
}

void set_deinit(struct set *set)
{
    free(set->slots);
    set_init(set);
}

/* Finds the slot of `text`, or the free slot where `text` belongs. At least one slot must be free. */
static struct set_slot *find_slot(const struct set *set, struct slice text, uint64_t hash)
{
    size_t at = (size_t) hash & (set->size - 1);
    for (; set->slots[at].text.data; at = (at + 1) & (set->size - 1)) {
        if (set->slots[at].hash == hash && slice_equal(set->slots[at].text, text)) break;
    }
    return &set->slots[at];
}

static bool grow(struct set *set)
{
    struct set larger = {.size = set->size ? set->size * 2 : 64, .count = set->count};
    larger.slots = calloc(larger.size, sizeof(*larger.slots));
    if (!larger.slots) return false;
    for (size_t i = 0; i < set->size; i++) {
        struct set_slot *slot = &set->slots[i];
        if (slot->text.data) *find_slot(&larger, slot->text, slot->hash) = *slot;
    }
    free(set->slots);
    *set = larger;
    return true;
}

bool set_has(const struct set *set, struct slice text)
{
    return set->size > 0 && find_slot(set, text, hash_fnv1a(text))->text.data;
}

bool set_add(struct set *set, struct slice text, bool *is_new)
{
    /* The table is at most half full, which keeps searches short. */
    if (set->count * 2 >= set->size && !grow(set)) return false;
    uint64_t hash = hash_fnv1a(text);
    struct set_slot *slot = find_slot(set, text, hash);
    *is_new = !slot->text.data;
    if (!*is_new) return true;
    *slot = (struct set_slot){text, hash};
    set->count++;
    return true;
}
