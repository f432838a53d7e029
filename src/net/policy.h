/*
 * Which servers may be scraped by those who name them in a URL: lists of rules, of what is allowed and what
 * is denied. Pure: resolves nothing, but judges what names were resolved to.
 *
 * What is denied is denied whatever allows it. Where something is allowed, all else is forbidden; without an
 * allow rule everything is allowed that is not denied, but for unix sockets: those need a rule that names
 * them. So does a policy without any rule, which is that of an exporter that was given none.
 *
 * It says nothing of the servers that are configured, which may be scraped anyhow, nor of what is behind an
 * address: a proxy or a translator (NAT64) may lead anywhere.
 */
#ifndef NET_POLICY_H
#define NET_POLICY_H

#include "net/address.h"
#include "net/policy_rule.h"

#include <stdbool.h>
#include <stddef.h>

struct policy_rules {
    struct policy_rule *items; /* owned */
    size_t count;
};

/* Shared by everyone who holds it; not to be changed from then on. Held and released on one thread. */
struct policy {
    unsigned references;
    struct policy_rules allow, deny;
};

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_FORBIDDEN,
    POLICY_UNRESOLVED, /* a name whose addresses decide; only while they are not given */
};

/* Room for the reason of a verdict. */
#define POLICY_WHY_MAX 192

/* Without rules, and with one reference. NULL when out of memory. */
struct policy *policy_new(void);

/* The one without rules that is always there; holding and releasing it is harmless. */
struct policy *policy_none(void);

/* Appends a copy of the rule to policy->allow or policy->deny. False when out of memory. */
bool policy_add(struct policy_rules *rules, const struct policy_rule *rule);

struct policy *policy_hold(struct policy *policy);

/* NULL is taken. */
void policy_release(struct policy *policy);

/* An order of policies by their rules: 0 when both have the same ones in the same order. */
int policy_compare(const struct policy *a, const struct policy *b);

/*
 * Judges an address as it was asked for. `endpoint` is what a name was resolved to, to be judged one by one,
 * or NULL while it is not; literals and paths need none. When it is forbidden, `why` gets one line that names
 * the rule; otherwise it is untouched.
 */
enum policy_verdict policy_check(const struct policy *policy, const struct address *address,
                                 const union endpoint *endpoint, char why[POLICY_WHY_MAX]);

#endif
