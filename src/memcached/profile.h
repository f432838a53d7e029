/*
 * How a server is asked: what, for how long, under which policy, and with what it wants before it answers.
 * One for each module of the configuration and each policy, shared by the targets and the clients that work
 * by it.
 */
#ifndef MEMCACHED_PROFILE_H
#define MEMCACHED_PROFILE_H

#include "memcached/access.h"
#include "net/policy.h"

#include <stdbool.h>
#include <stdint.h>

/* Shared by everyone who holds it; not to be changed from then on. Held and released on one thread. */
struct profile {
    unsigned references;
    unsigned commands;     /* set of commands that may be asked, and SLABS_TOTALS_ONLY; `stats` is asked in
                              any case */
    uint64_t timeout_ms;   /* of one poll as a whole; UINT64_MAX is without end */
    struct policy *policy; /* of what a name may be resolved to; held; NULL allows everything */
    struct access *access; /* held; NULL: neither TLS nor a login */
    bool logs_in;          /* the access has a login, and these servers may see it */
    bool is_anonymous;     /* the access has a certificate of ours, and these servers may not see it */
};

/* With one reference; holds the policy, which may be NULL. NULL when out of memory. */
struct profile *profile_new(unsigned commands, uint64_t timeout_ms, struct policy *policy);

/* What of an access servers may see. */
struct profile_trust {
    bool login, certificate;
};

/* For its maker, before anybody else holds it: holds the access, which may be NULL. */
void profile_set_access(struct profile *profile, struct access *access, struct profile_trust trust);

struct profile *profile_hold(struct profile *profile);

/* NULL is taken. */
void profile_release(struct profile *profile);

/*
 * Orders profiles by what a connection depends on: 0 when a connection that was made under one may serve the
 * other. What is asked, and for how long, may differ. Policies are compared by their rules, so that a reload
 * that leaves them as they are leaves the connections too; accesses are the same or not.
 */
int profile_compare(const struct profile *a, const struct profile *b);

#endif
