/*
 * Decides which servers a URL may name as targets, by a list of allow rules and a list of deny rules. It
 * resolves no names: callers pass the addresses that a name was resolved to. Where the exporter listens
 * itself is forbidden, whatever the rules say (net/own_listeners.h).
 *
 * Without an allow rule, `private` is allowed: the private networks and this machine. A deny rule wins over
 * every allow rule. Addresses that are useless to a scrape and useful to an attacker (cloud metadata,
 * link-local, multicast, broadcast, unspecified) are denied unless a rule is about exactly them: see
 * policy_rule_means_special. A unix socket needs a rule that matches its path.
 *
 * The policy does not apply to configured targets, which may always be scraped. It cannot see behind an
 * address: a proxy there may connect to anything.
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

/* Reference-counted, on one thread. Must not change once it is shared. */
struct policy {
    unsigned references;
    struct policy_rules allow, deny;
};

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_FORBIDDEN,
    POLICY_UNRESOLVED, /* a name whose addresses decide; only while they are not given */
};

/* What forbids an address, to be counted. */
enum policy_ground {
    POLICY_BY_ALLOW, /* no rule allows it */
    POLICY_BY_DENY,
    POLICY_BY_METADATA, /* it is special, and no rule means just that */
    POLICY_BY_LINK_LOCAL,
    POLICY_BY_SPECIAL, /* multicast, broadcast, unspecified */
    POLICY_BY_UNIX,
    POLICY_BY_LISTENER, /* it is the exporter itself */
    POLICY_GROUNDS,
};

/* "link_local" */
const char *policy_ground_name(enum policy_ground ground);

/* Room for the reason of a verdict. */
#define POLICY_WHY_MAX 192

/* Why something is forbidden. */
struct policy_refusal {
    enum policy_ground ground;
    char why[POLICY_WHY_MAX]; /* one line that names the rule */
};

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
 * or NULL while it is not; literals and paths need none. `refusal` is set when it is forbidden, and otherwise
 * untouched.
 */
enum policy_verdict policy_check(const struct policy *policy, const struct address *address,
                                 const union endpoint *endpoint, struct policy_refusal *refusal);

#endif
