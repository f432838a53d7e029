/*
 * Which servers may be scraped by those who name them in a URL: lists of rules, of what is allowed and what
 * is denied. Pure: resolves nothing, but judges what names were resolved to.
 *
 * Without an allow rule, `private` is allowed: the private networks and this machine. What is denied is
 * denied whatever allows it. Addresses that are of no use to a scrape, and of much use to an attacker
 * (metadata of clouds, link-local, multicast, broadcast, unspecified), are denied unless a rule means just
 * them: see policy_rule_means_special. A unix socket needs a rule that names its path.
 *
 * It says nothing of the servers that are configured, which may be scraped anyhow, nor of what is behind an
 * address: a proxy may lead anywhere.
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

/* The one without rules, which is the default, and always there; holding and releasing it is harmless. */
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
