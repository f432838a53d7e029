#include "memcached/prefixes.h"

#include "base/array.h"
#include "base/number.h"
#include "memcached/name_set.h"

#include <stdlib.h>
#include <string.h>

/* Longest name in bytes. A line is at most 2 KiB, and each byte may become three. */
#define NAME_BYTES_MAX 8192

void prefixes_init(struct prefixes *prefixes, size_t max)
{
    *prefixes = (struct prefixes){.max = max};
    buffer_init(&prefixes->scratch, NAME_BYTES_MAX);
}

void prefixes_deinit(struct prefixes *prefixes)
{
    for (size_t n = 0; n < prefixes->count; n++) free(prefixes->items[n].name);
    free(prefixes->items);
    buffer_deinit(&prefixes->scratch);
    prefixes_init(prefixes, prefixes->max);
}

static struct slice name_of(const struct prefix *prefix)
{
    return (struct slice){prefix->name, prefix->len};
}

static void add_counts(struct prefix_counts *sum, const struct prefix_counts *counts)
{
    sum->gets += counts->gets;
    sum->hits += counts->hits;
    sum->sets += counts->sets;
    sum->deletes += counts->deletes;
}

static uint64_t commands_of(const struct prefix *prefix)
{
    return prefix->counts.gets + prefix->counts.sets + prefix->counts.deletes;
}

/* --- The heap --- */

/* Returns true if `a` is dropped before `b`. */
static bool goes_first(const struct prefix *a, const struct prefix *b)
{
    uint64_t left = commands_of(a), right = commands_of(b);
    return left != right ? left < right : name_compare(name_of(a), name_of(b)) > 0;
}

static void swap(struct prefix *a, struct prefix *b)
{
    struct prefix copy = *a;
    *a = *b;
    *b = copy;
}

static void sift_up(struct prefix *items, size_t at)
{
    while (at > 0 && goes_first(&items[at], &items[(at - 1) / 2])) {
        swap(&items[at], &items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
}

static void sift_down(struct prefix *items, size_t count)
{
    for (size_t at = 0, child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && goes_first(&items[child + 1], &items[child])) child++;
        if (!goes_first(&items[child], &items[at])) return;
        swap(&items[child], &items[at]);
    }
}

/* --- Filling --- */

static bool read_count(struct slice *words, const char *name, uint64_t *count)
{
    return slice_is(slice_cut(words, ' '), name) && number_parse_u64(slice_cut(words, ' '), count);
}

static bool read_counts(struct slice words, struct prefix_counts *counts)
{
    return read_count(&words, "get", &counts->gets) && read_count(&words, "hit", &counts->hits) &&
           read_count(&words, "set", &counts->sets) && read_count(&words, "del", &counts->deletes) &&
           !words.data;
}

static void drop(struct prefixes *prefixes, const struct prefix *prefix)
{
    add_counts(&prefixes->rest, &prefix->counts);
    prefixes->has_rest = true;
    prefixes->dropped++;
}

static bool own_name(struct prefix *prefix)
{
    char *name = malloc(prefix->len);
    if (!name) return false;
    memcpy(name, prefix->name, prefix->len);
    prefix->name = name;
    return true;
}

/*
 * Adds a prefix whose name still is in the scratch buffer. If all places are taken, the least busy prefix is
 * dropped, which may be this one.
 */
static bool place(struct prefixes *prefixes, struct prefix *prefix)
{
    if (prefixes->count == prefixes->max) {
        if (prefixes->max == 0 || goes_first(prefix, &prefixes->items[0])) {
            drop(prefixes, prefix);
            return true;
        }
        if (!own_name(prefix)) return false;
        drop(prefixes, &prefixes->items[0]);
        free(prefixes->items[0].name);
        prefixes->items[0] = *prefix;
        sift_down(prefixes->items, prefixes->count);
        return true;
    }
    if (!array_reserve(&prefixes->items, prefixes->count, &prefixes->size, 16, prefixes->max)) return false;
    if (!own_name(prefix)) return false;
    prefixes->items[prefixes->count++] = *prefix;
    sift_up(prefixes->items, prefixes->count - 1);
    return true;
}

bool prefixes_add(struct prefixes *prefixes, struct slice name, struct slice counts, unsigned *wrong)
{
    struct prefix prefix = {0};
    if (!read_counts(counts, &prefix.counts)) {
        ++*wrong;
        return true;
    }
    if (name.len == 0) {
        add_counts(&prefixes->rest, &prefix.counts);
        prefixes->has_rest = true;
        return true;
    }
    buffer_clear(&prefixes->scratch);
    name_append(&prefixes->scratch, name);
    if (prefixes->scratch.failed) return false;
    prefix.name = prefixes->scratch.data;
    prefix.len = prefixes->scratch.len;
    return place(prefixes, &prefix);
}

/* --- Finishing --- */

static int compare_names(const void *a, const void *b)
{
    return name_compare(name_of(a), name_of(b));
}

void prefixes_finish(struct prefixes *prefixes)
{
    struct prefix *items = prefixes->items;
    size_t kept = 0;
    buffer_deinit(&prefixes->scratch);
    if (prefixes->count) qsort(items, prefixes->count, sizeof(items[0]), compare_names);
    for (size_t n = 0; n < prefixes->count; n++) {
        if (kept && compare_names(&items[kept - 1], &items[n]) == 0) {
            add_counts(&items[kept - 1].counts, &items[n].counts);
            free(items[n].name);
        } else {
            items[kept++] = items[n];
        }
    }
    prefixes->count = kept;
}

bool prefixes_copy(struct prefixes *copy, const struct prefixes *prefixes)
{
    prefixes_init(copy, prefixes->max);
    copy->rest = prefixes->rest;
    copy->has_rest = prefixes->has_rest;
    copy->dropped = prefixes->dropped;
    if (prefixes->count == 0) return true;
    copy->items = malloc(prefixes->count * sizeof(copy->items[0]));
    if (!copy->items) return false;
    copy->size = prefixes->count;
    while (copy->count < prefixes->count) {
        copy->items[copy->count] = prefixes->items[copy->count];
        if (!own_name(&copy->items[copy->count])) return false;
        copy->count++;
    }
    return true;
}
