/*
 * How to ask a server: the commands, the timeout, the policy, and the access that the server requires. There
 * is one profile for each module of the configuration and each policy. Targets and clients share it.
 */
#ifndef MEMCACHED_PROFILE_H
#define MEMCACHED_PROFILE_H

#include "memcached/access.h"
#include "net/address.h"
#include "net/policy.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Shared by reference count. Does not change once it is shared. References are taken and released on one
 * thread.
 */
struct profile {
    unsigned references;
    unsigned commands;   /* set of collectors that may be asked; `stats` is always asked */
    uint64_t timeout_ms; /* time for a whole poll; UINT64_MAX: no limit */
    /* restricts the addresses that a name resolves to; holds a reference; NULL allows all */
    struct policy *policy;
    struct access *access; /* holds a reference; NULL for neither TLS nor a login */
    bool logs_in;          /* the access has a login that these servers may see */
    bool is_anonymous;     /* the access has a certificate of ours that these servers may not see */
    bool traced;           /* for one look into its targets: polls are traced, connections are not shared */
};

/*
 * Creates a profile with one reference. Takes a reference to the policy, which may be NULL. Returns NULL if
 * out of memory.
 */
struct profile *profile_new(unsigned commands, uint64_t timeout_ms, struct policy *policy);

/* Which parts of an access the servers may see. */
struct profile_trust {
    bool login, certificate;
};

/*
 * Sets the access, which may be NULL, and takes a reference to it. Only the creator may call this, before the
 * profile is shared.
 */
void profile_set_access(struct profile *profile, struct access *access, struct profile_trust trust);

/* Returns the protocol to use as long as nothing is known of a server. */
const struct protocol *profile_protocol(const struct profile *profile);

struct profile *profile_hold(struct profile *profile);

/* NULL is allowed. */
void profile_release(struct profile *profile);

/*
 * Returns the name that the certificate of a server at that address must be for; borrowed from either. The
 * profile must have an access. A unix socket is on this machine: localhost.
 */
const char *profile_server_name(const struct profile *profile, const struct address *address);

/*
 * Orders profiles by what a connection depends on. Returns 0 if a connection made under one profile may also
 * serve the other. Commands and timeouts may differ. Policies are compared by their rules: a reload that does
 * not change the rules keeps the connections. Accesses are compared by identity, and so are traced profiles.
 */
int profile_compare(const struct profile *a, const struct profile *b);

#endif
