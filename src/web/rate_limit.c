#include "web/rate_limit.h"

void rate_limit_init(struct rate_limit *limit, uint64_t interval_ns, uint64_t burst, uint64_t now_ns)
{
    uint64_t full_ns = burst > UINT64_MAX / 2 / interval_ns ? UINT64_MAX / 2 : burst * interval_ns;
    *limit = (struct rate_limit){interval_ns, full_ns, full_ns, now_ns};
}

bool rate_limit_take(struct rate_limit *limit, uint64_t now_ns)
{
    uint64_t passed_ns = now_ns - limit->last_ns, room_ns = limit->full_ns - limit->credit_ns;
    limit->credit_ns += passed_ns < room_ns ? passed_ns : room_ns;
    limit->last_ns = now_ns;
    if (limit->credit_ns < limit->interval_ns) return false;
    limit->credit_ns -= limit->interval_ns;
    return true;
}
