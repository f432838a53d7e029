/*
 * How a server is asked: what, for how long, and under which policy. One for each module of the configuration
 * and each policy, shared by the targets and the clients that work by it.
 */
#ifndef MEMCACHED_PROFILE_H
#define MEMCACHED_PROFILE_H

#include "net/policy.h"

#include <stdint.h>

/* Shared by everyone who holds it; not to be changed from then on. Held and released on one thread. */
struct profile {
    unsigned references;
    unsigned commands;     /* set of commands that may be asked; `stats` is asked in any case */
    uint64_t timeout_ms;   /* of one poll as a whole; UINT64_MAX is without end */
    struct policy *policy; /* of what a name may be resolved to; held; NULL allows everything */
};

/* With one reference; holds the policy, which may be NULL. NULL when out of memory. */
struct profile *profile_new(unsigned commands, uint64_t timeout_ms, struct policy *policy);

struct profile *profile_hold(struct profile *profile);

/* NULL is taken. */
void profile_release(struct profile *profile);

/*
 * Orders profiles by what a connection depends on: 0 when a connection that was made under one may serve the
 * other. What is asked, and for how long, may differ. Policies are compared by their rules, so that a reload
 * that leaves them as they are leaves the connections too.
 */
int profile_compare(const struct profile *a, const struct profile *b);

#endif
