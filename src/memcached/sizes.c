#include "memcached/sizes.h"

#include "base/number.h"

#include <stdlib.h>
#include <string.h>

/* Width of the server's buckets in bytes. */
#define WIDTH 32

void sizes_init(struct sizes *sizes)
{
    *sizes = (struct sizes){0};
}

void sizes_deinit(struct sizes *sizes)
{
    free(sizes->bounds);
    free(sizes->counts);
    sizes_init(sizes);
}

static bool read_key(struct slice key, uint32_t *size)
{
    uint64_t number;
    if (!number_parse_u64(key, &number) || number > UINT32_MAX) return false;
    *size = (uint32_t) number;
    return true;
}

bool sizes_takes(struct slice key)
{
    uint32_t ignored;
    return read_key(key, &ignored);
}

bool sizes_repeats(const struct sizes *sizes, struct slice key)
{
    uint32_t size;
    return sizes->count > 0 && read_key(key, &size) && size == sizes->last;
}

static bool resize(struct sizes *sizes, size_t size)
{
    double *bounds = realloc(sizes->bounds, size * sizeof(bounds[0]));
    if (bounds) sizes->bounds = bounds;
    uint64_t *counts = bounds ? realloc(sizes->counts, (size + 1) * sizeof(counts[0])) : NULL;
    if (!counts) return false;
    sizes->counts = counts;
    sizes->size = size;
    return true;
}

/*
 * Adds `items` to the last bucket, or to a new bucket after it if `bound` is larger. The arrays must have
 * room.
 */
static void put(struct sizes *sizes, double bound, uint64_t items)
{
    if (sizes->count == 0 || sizes->bounds[sizes->count - 1] < bound) {
        sizes->bounds[sizes->count] = bound;
        sizes->counts[sizes->count++] = 0;
        sizes->counts[sizes->count] = 0;
    }
    sizes->counts[sizes->count - 1] += items;
}

/* Returns the upper bound of the joined bucket that contains a bucket of the server. */
static double wide_bound(double bound)
{
    uint64_t width = WIDTH, size = (uint64_t) bound;
    while (width * WIDTH < size) width *= 2;
    uint64_t buckets = (size + width - 1) / width;
    return (double) (buckets * width);
}

/*
 * Joins buckets in place: each bucket moves to its own index or to a lower one. `put` writes a 0 after the
 * last count, which may overwrite the next bucket. So that count is read first.
 */
static void make_coarse(struct sizes *sizes)
{
    size_t count = sizes->count;
    uint64_t items = sizes->counts[0];
    sizes->coarse = true;
    sizes->count = 0;
    for (size_t n = 0; n < count; n++) {
        uint64_t next = sizes->counts[n + 1];
        put(sizes, wide_bound(sizes->bounds[n]), items);
        items = next;
    }
}

bool sizes_add(struct sizes *sizes, struct slice key, struct slice value, unsigned *wrong)
{
    uint32_t size = 0;
    uint64_t items;
    bool first = sizes->count == 0;
    if (!read_key(key, &size) || !number_parse_u64(value, &items) || (!first && size <= sizes->last)) {
        ++*wrong;
        return true;
    }
    /*
     * The server counts without a lock in 32 bits. A count that is briefly negative is printed as a large
     * number.
     */
    if (items > INT32_MAX && items <= UINT32_MAX) items = 0;
    if (sizes->count == SIZES_BOUNDS_MAX && !sizes->coarse) make_coarse(sizes);
    if (sizes->count == sizes->size && !resize(sizes, sizes->size ? 2 * sizes->size : 64)) return false;
    put(sizes, sizes->coarse ? wide_bound(size) : size, items);
    sizes->last = size;
    return true;
}

bool sizes_copy(struct sizes *copy, const struct sizes *sizes)
{
    sizes_init(copy);
    copy->disabled = sizes->disabled;
    copy->coarse = sizes->coarse;
    copy->last = sizes->last;
    if (sizes->count == 0) return true;
    if (!resize(copy, sizes->count)) return false;
    memcpy(copy->bounds, sizes->bounds, sizes->count * sizeof(copy->bounds[0]));
    memcpy(copy->counts, sizes->counts, (sizes->count + 1) * sizeof(copy->counts[0]));
    copy->count = sizes->count;
    return true;
}
