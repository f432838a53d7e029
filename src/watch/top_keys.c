/*
 * Three views of the same counters: `counters` holds them, `heap` orders them with the smallest on top, and
 * `table` finds them by hash. The table is half empty at least, with linear probing.
 */
#include "watch/top_keys.h"

#include <assert.h>
#include <stdlib.h>

struct counter {
    uint64_t hash, count, error;
    uint16_t place; /* place in the heap */
    uint8_t len;
    char key[TOP_KEYS_KEY_MAX];
};

struct top_keys {
    size_t size, used; /* number of counters, and of those in use */
    size_t mask;       /* slots of the table - 1 */
    uint64_t total;
    struct counter *counters;
    uint16_t *heap;  /* indices of counters */
    uint16_t *table; /* indices of counters + 1; 0: free */
};

struct top_keys *top_keys_new(size_t counters)
{
    assert(counters >= 1 && counters <= TOP_KEYS_COUNTERS_MAX);
    struct top_keys *top = calloc(1, sizeof(*top));
    size_t slots = 2;
    if (!top) return NULL;
    while (slots < 2 * counters) slots *= 2;
    top->size = counters;
    top->mask = slots - 1;
    top->counters = calloc(counters, sizeof(*top->counters));
    top->heap = calloc(counters, sizeof(*top->heap));
    top->table = calloc(slots, sizeof(*top->table));
    if (top->counters && top->heap && top->table) return top;
    top_keys_free(top);
    return NULL;
}

void top_keys_free(struct top_keys *top)
{
    if (!top) return;
    free(top->counters);
    free(top->heap);
    free(top->table);
    free(top);
}

/* --- The table --- */

/* Returns the slot of the key, or the free slot where it would be. */
static size_t find_slot(const struct top_keys *top, struct slice key, uint64_t hash)
{
    size_t slot = hash & top->mask;
    for (; top->table[slot]; slot = (slot + 1) & top->mask) {
        const struct counter *counter = &top->counters[top->table[slot] - 1];
        if (counter->hash == hash && slice_equal((struct slice){counter->key, counter->len}, key)) break;
    }
    return slot;
}

/* Empties a slot, and moves later entries back so that probing still finds them. */
static void free_slot(struct top_keys *top, size_t slot)
{
    size_t hole = slot;
    for (size_t n = (slot + 1) & top->mask; top->table[n]; n = (n + 1) & top->mask) {
        size_t home = top->counters[top->table[n] - 1].hash & top->mask;
        if (((n - home) & top->mask) < ((n - hole) & top->mask)) continue;
        top->table[hole] = top->table[n];
        hole = n;
    }
    top->table[hole] = 0;
}

/* --- The heap --- */

static void place_in_heap(struct top_keys *top, size_t place, uint16_t index)
{
    top->heap[place] = index;
    top->counters[index].place = (uint16_t) place;
}

/* Moves a counter down after its count has grown. */
static void sink(struct top_keys *top, size_t place)
{
    uint16_t index = top->heap[place];
    uint64_t count = top->counters[index].count;
    for (size_t child; (child = 2 * place + 1) < top->used; place = child) {
        if (child + 1 < top->used &&
            top->counters[top->heap[child + 1]].count < top->counters[top->heap[child]].count)
            child++;
        if (top->counters[top->heap[child]].count >= count) break;
        place_in_heap(top, place, top->heap[child]);
    }
    place_in_heap(top, place, index);
}

/* Moves a new counter up from the end. */
static void rise(struct top_keys *top, size_t place)
{
    uint16_t index = top->heap[place];
    for (; place && top->counters[top->heap[(place - 1) / 2]].count > top->counters[index].count;
         place = (place - 1) / 2)
        place_in_heap(top, place, top->heap[(place - 1) / 2]);
    place_in_heap(top, place, index);
}

/* --- Counting --- */

/* Gives the key a counter that nobody uses, or else the smallest one. */
static void give_counter(struct top_keys *top, struct slice key, uint64_t hash, uint64_t weight)
{
    bool is_new = top->used < top->size;
    uint16_t index = is_new ? (uint16_t) top->used : top->heap[0];
    struct counter *counter = &top->counters[index];
    if (!is_new) free_slot(top, find_slot(top, (struct slice){counter->key, counter->len}, counter->hash));
    counter->error = counter->count;
    counter->count += weight;
    counter->hash = hash;
    counter->len = (uint8_t) key.len;
    slice_put(counter->key, key);
    top->table[find_slot(top, key, hash)] = (uint16_t) (index + 1);
    if (!is_new) {
        sink(top, 0);
        return;
    }
    top->heap[top->used] = index;
    rise(top, top->used++);
}

void top_keys_add(struct top_keys *top, struct slice key, uint64_t hash, uint64_t weight)
{
    assert(key.len <= TOP_KEYS_KEY_MAX);
    if (weight == 0) return;
    top->total += weight;
    uint16_t found = top->table[find_slot(top, key, hash)];
    if (!found) {
        give_counter(top, key, hash, weight);
        return;
    }
    top->counters[found - 1].count += weight;
    sink(top, top->counters[found - 1].place);
}

uint64_t top_keys_total(const struct top_keys *top)
{
    return top->total;
}

uint64_t top_keys_bound(const struct top_keys *top)
{
    return top->total / top->size;
}

/* Inserts a counter into the sorted `best`, if it is large enough. Returns the new number of keys. */
static size_t insert_best(const struct counter *counter, struct top_key *best, size_t count, size_t most)
{
    size_t at = count;
    while (at > 0 && best[at - 1].count < counter->count) at--;
    if (at == most) return count;
    if (count < most) count++;
    memmove(&best[at + 1], &best[at], (count - 1 - at) * sizeof(*best));
    best[at] = (struct top_key){{counter->key, counter->len}, counter->hash, counter->count, counter->error};
    return count;
}

size_t top_keys_best(const struct top_keys *top, struct top_key *best, size_t most)
{
    size_t count = 0;
    for (size_t n = 0; n < top->used; n++) count = insert_best(&top->counters[n], best, count, most);
    return count;
}
