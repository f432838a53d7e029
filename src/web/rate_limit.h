/*
 * How often something may happen: a bucket of `burst` tokens, full at first, that gets one back each
 * interval. Pure; the caller has the clock.
 */
#ifndef WEB_RATE_LIMIT_H
#define WEB_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
    uint64_t interval_ns; /* of one token; above 0 */
    uint64_t full_ns;     /* so much the bucket holds, in time instead of tokens; 0: nothing ever passes */
    uint64_t credit_ns, last_ns;
};

void rate_limit_init(struct rate_limit *limit, uint64_t interval_ns, uint64_t burst, uint64_t now_ns);

/* Takes a token; false when there is none. */
bool rate_limit_take(struct rate_limit *limit, uint64_t now_ns);

#endif
