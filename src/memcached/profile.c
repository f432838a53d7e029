#include "memcached/profile.h"

#include <stdlib.h>

struct profile *profile_new(unsigned commands, uint64_t timeout_ms, struct policy *policy)
{
    struct profile *profile = malloc(sizeof(*profile));
    if (!profile) return NULL;
    *profile = (struct profile){.references = 1,
                                .commands = commands,
                                .timeout_ms = timeout_ms,
                                .policy = policy ? policy_hold(policy) : NULL};
    return profile;
}

void profile_set_access(struct profile *profile, struct access *access, struct profile_trust trust)
{
    profile->access = access_hold(access);
    profile->logs_in = access && trust.login && access_has_login(access);
    profile->is_anonymous = access && !trust.certificate && access_has_certificate(access);
}

const struct protocol *profile_protocol(const struct profile *profile)
{
    return access_protocol(profile->access) == PROTOCOL_BINARY ? &protocol_binary : &protocol_text;
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
    access_release(profile->access);
    free(profile);
}

const char *profile_server_name(const struct profile *profile, const struct address *address)
{
    const char *name = access_server_name(profile->access);
    if (*name) return name;
    return address->kind == ADDRESS_UNIX ? "localhost" : address->host;
}

int profile_compare(const struct profile *a, const struct profile *b)
{
    if (a->traced != b->traced) return a->traced - b->traced;
    if (a->traced && a != b) return (uintptr_t) a < (uintptr_t) b ? -1 : 1;
    if (a->access != b->access) return (uintptr_t) a->access < (uintptr_t) b->access ? -1 : 1;
    if (a->logs_in != b->logs_in) return a->logs_in - b->logs_in;
    if (a->is_anonymous != b->is_anonymous) return a->is_anonymous - b->is_anonymous;
    if (!a->policy || !b->policy) return (a->policy != NULL) - (b->policy != NULL);
    return policy_compare(a->policy, b->policy);
}
