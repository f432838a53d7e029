#include "base/retry.h"

#include <assert.h>

/* More doublings are pointless: one second doubled 30 times is 34 years. */
#define LARGEST_SHIFT 30

uint64_t retry_delay_ms(uint64_t first_ms, uint64_t longest_ms, unsigned failures)
{
    assert(failures > 0);
    unsigned shift = failures - 1 < LARGEST_SHIFT ? failures - 1 : LARGEST_SHIFT;
    return first_ms < longest_ms >> shift ? first_ms << shift : longest_ms;
}

uint64_t retry_spread_ms(uint64_t delay_ms, unsigned less, unsigned more, uint32_t random)
{
    double share = (double) random / UINT32_MAX;
    uint64_t range_ms = delay_ms / 100 * (less + more) + delay_ms % 100 * (less + more) / 100;
    return delay_ms - delay_ms * less / 100 + (uint64_t) (share * (double) range_ms);
}
