#include "discovery/pace.h"

#define FIRST_RETRY_MS UINT64_C(1000)

/* 2^30 s is more than any interval. */
#define LARGEST_SHIFT 30

uint64_t pace_delay_ms(uint64_t interval_ms, unsigned failures, uint32_t random)
{
    uint64_t delay_ms = interval_ms;
    if (failures) {
        unsigned shift = failures - 1 < LARGEST_SHIFT ? failures - 1 : LARGEST_SHIFT;
        if (FIRST_RETRY_MS << shift < interval_ms) delay_ms = FIRST_RETRY_MS << shift;
    }
    double share = (double) random / UINT32_MAX;
    return delay_ms - delay_ms / 10 + (uint64_t) (share * (double) (delay_ms / 5));
}
