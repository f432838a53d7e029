#include "base/nearest.h"

#include <stdint.h>

/* A name that needs more edits than this is not a typing error. */
#define FARTHEST     3
#define LONGEST_NAME 128

void nearest_init(struct nearest *nearest, struct slice written)
{
    *nearest = (struct nearest){.written = written, .distance = FARTHEST + 1};
}

static size_t smallest(size_t a, size_t b, size_t c)
{
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/*
 * Returns the edit distance (Levenshtein): how many bytes must be inserted, deleted or replaced. Keeps only
 * one row of the usual table. Returns SIZE_MAX if a name is too long.
 */
static size_t edit_distance(struct slice a, struct slice b)
{
    size_t row[LONGEST_NAME + 1];
    if (a.len > LONGEST_NAME || b.len > LONGEST_NAME) return SIZE_MAX;
    for (size_t j = 0; j <= b.len; j++) row[j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a.data[i - 1] != b.data[j - 1]);
            row[j] = smallest(above + 1, row[j - 1] + 1, changed);
            diagonal = above;
        }
    }
    return row[b.len];
}

void nearest_try(struct nearest *nearest, const char *name)
{
    size_t distance = edit_distance(nearest->written, slice_of(name));
    if (distance >= nearest->distance || distance > strlen(name) / 2) return;
    nearest->distance = distance;
    nearest->name = name;
}
