#include "memcached/profile.h"

#include <stdlib.h>

struct profile *profile_new(unsigned commands, uint64_t timeout_ms, struct policy *policy)
{
    struct profile *profile = malloc(sizeof(*profile));
    if (!profile) return NULL;
    *profile = (struct profile){1, commands, timeout_ms, policy ? policy_hold(policy) : NULL};
    return profile;
}

struct profile *profile_hold(struct profile *profile)
{
    profile->references++;
    return profile;
}

void profile_release(struct profile *profile)
{
    if (!profile || --profile->references > 0) return;
    policy_release(profile->policy);
    free(profile);
}

int profile_compare(const struct profile *a, const struct profile *b)
{
    if (!a->policy || !b->policy) return (a->policy != NULL) - (b->policy != NULL);
    return policy_compare(a->policy, b->policy);
}
