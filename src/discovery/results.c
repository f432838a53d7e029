#include "discovery/results.h"

#include "base/array.h"

#include <stdlib.h>

#define TARGETS_LEAST 16

void results_init(struct results *found)
{
    *found = (struct results){0};
}

void results_deinit(struct results *found)
{
    arena_deinit(&found->texts);
    free(found->targets);
    results_init(found);
}

/* --- Adding --- */

bool results_add(struct results *found, struct slice address, const struct results_label *labels,
                 size_t count)
{
    if (found->count == RESULTS_MAX) return false;
    if (!array_reserve(&found->targets, found->count, &found->size, TARGETS_LEAST, RESULTS_MAX)) return false;
    struct results_label *copies = arena_alloc(&found->texts, count, sizeof(*copies));
    const char *text = arena_copy(&found->texts, address);
    if (!copies || !text) return false;
    for (size_t i = 0; i < count; i++) {
        copies[i].name = arena_copy(&found->texts, slice_of(labels[i].name));
        copies[i].value = arena_copy(&found->texts, slice_of(labels[i].value));
        if (!copies[i].name || !copies[i].value) return false;
    }
    found->targets[found->count++] = (struct results_target){text, copies, count};
    return true;
}

bool results_drop(struct results *found, const char *what, size_t count)
{
    if (!found->dropped_example) found->dropped_example = arena_copy(&found->texts, slice_of(what));
    found->dropped += count;
    return found->dropped_example != NULL;
}

/* --- Comparing --- */

static int compare_labels(const struct results_label *a, const struct results_label *b)
{
    int order = strcmp(a->name, b->name);
    return order ? order : strcmp(a->value, b->value);
}

static int compare_targets(const void *left, const void *right)
{
    const struct results_target *a = left, *b = right;
    int order = strcmp(a->address, b->address);
    for (size_t i = 0; order == 0 && i < a->label_count && i < b->label_count; i++)
        order = compare_labels(&a->labels[i], &b->labels[i]);
    if (order) return order;
    return (a->label_count > b->label_count) - (a->label_count < b->label_count);
}

bool results_equal(const struct results *a, const struct results *b)
{
    if (a->count != b->count || a->dropped != b->dropped) return false;
    for (size_t i = 0; i < a->count; i++) {
        if (compare_targets(&a->targets[i], &b->targets[i]) != 0) return false;
    }
    return true;
}

void results_sort(struct results *found)
{
    size_t kept = 0;
    if (found->count == 0) return;
    qsort(found->targets, found->count, sizeof(*found->targets), compare_targets);
    for (size_t i = 1; i < found->count; i++) {
        if (compare_targets(&found->targets[kept], &found->targets[i]) != 0)
            found->targets[++kept] = found->targets[i];
    }
    found->count = kept + 1;
}
