#include "discovery/results.h"

#include <stdalign.h>
#include <stdlib.h>

#define CHUNK_SIZE    16384
#define TARGETS_LEAST 16

/* Texts and labels lie in chunks, which never move: a list of thousands costs few allocations. */
struct results_chunk {
    struct results_chunk *next;
    size_t used, size;
    alignas(struct results_label) char bytes[];
};

void results_init(struct results *found)
{
    *found = (struct results){0};
}

void results_deinit(struct results *found)
{
    for (struct results_chunk *chunk = found->texts, *next; chunk; chunk = next) {
        next = chunk->next;
        free(chunk);
    }
    free(found->targets);
    results_init(found);
}

/* --- Adding --- */

/* How much a text or an array takes, so that what follows it is aligned again. */
static size_t rounded(size_t size)
{
    size_t unit = alignof(struct results_label);
    return (size + unit - 1) / unit * unit;
}

/* A piece of this rounded size, or NULL. */
static char *take(struct results *found, size_t size)
{
    struct results_chunk *chunk = found->texts;
    if (!chunk || chunk->size - chunk->used < size) {
        size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;
        chunk = malloc(sizeof(*chunk) + room);
        if (!chunk) return NULL;
        chunk->next = found->texts;
        chunk->used = 0;
        chunk->size = room;
        found->texts = chunk;
    }
    char *piece = chunk->bytes + chunk->used;
    chunk->used += size;
    return piece;
}

/* Copies a text to *at, which moves behind it. */
static const char *put(char **at, struct slice text)
{
    char *copy = *at;
    if (text.len) memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *at += text.len + 1;
    return copy;
}

static bool make_room(struct results *found)
{
    if (found->count < found->size) return true;
    size_t size = found->size ? found->size * 2 : TARGETS_LEAST;
    struct results_target *targets = realloc(found->targets, size * sizeof(*targets));
    if (!targets) return false;
    found->targets = targets;
    found->size = size;
    return true;
}

/* The labels of a target stand before the texts that they point to, all in one piece. */
bool results_add(struct results *found, struct slice address, const struct results_label *labels,
                 size_t count)
{
    size_t array = count * sizeof(*labels), size = array + address.len + 1;
    for (size_t i = 0; i < count; i++) size += strlen(labels[i].name) + strlen(labels[i].value) + 2;
    if (found->count == RESULTS_MAX || !make_room(found)) return false;
    char *piece = take(found, rounded(size));
    if (!piece) return false;

    struct results_label *copies = (struct results_label *) (void *) piece;
    char *at = piece + array;
    for (size_t i = 0; i < count; i++) {
        copies[i].name = put(&at, slice_of(labels[i].name));
        copies[i].value = put(&at, slice_of(labels[i].value));
    }
    found->targets[found->count++] = (struct results_target){put(&at, address), copies, count};
    return true;
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
    if (a->count != b->count) return false;
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
