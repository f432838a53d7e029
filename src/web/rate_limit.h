/*
 * A rate limit: a bucket of `burst` tokens, full at first, that regains one token per interval. The caller
 * provides the time.
 */
#ifndef WEB_RATE_LIMIT_H
#define WEB_RATE_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct rate_limit {
    uint64_t interval_ns; /* time until a token is regained; above 0 */
    uint64_t full_ns;     /* capacity of the bucket, as time; 0: no token is ever available */
    uint64_t credit_ns, last_ns;
};

void rate_limit_init(struct rate_limit *limit, uint64_t interval_ns, uint64_t burst, uint64_t now_ns);

/* Takes a token. Returns false if the bucket is empty. */
bool rate_limit_take(struct rate_limit *limit, uint64_t now_ns);

#endif
