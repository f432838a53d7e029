#include "outputs/backoff.h"

#include <assert.h>

#define LONGEST_MS        (UINT64_C(5) * 60 * 1000)
#define LONGEST_INTERVALS 10

/* Doubling stops mattering before this, since 2^4 is more than ten. */
#define LARGEST_SHIFT 4

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t backoff_delay_ms(uint64_t interval_ms, unsigned failures, uint32_t random)
{
    assert(failures > 0);
    unsigned shift = failures - 1 < LARGEST_SHIFT ? failures - 1 : LARGEST_SHIFT;
    uint64_t cap = smaller(interval_ms * LONGEST_INTERVALS, LONGEST_MS);
    uint64_t delay = smaller(interval_ms << shift, cap);
    if (delay < interval_ms) delay = interval_ms;
    return delay + ((delay * random) >> 34);
}
