/*
 * Decides which servers a URL may name as targets, using a list of allow rules and a list of deny rules.
 * Resolves no names: callers pass the addresses of a resolved name. The exporter's own listening sockets are
 * always forbidden (net/own_listeners.h).
 *
 * Without allow rules, the rule `private` applies: it allows the private networks and this machine. A deny
 * rule wins over every allow rule. Some addresses are useless to a scrape and useful to an attacker (cloud
 * metadata, link-local, multicast, broadcast, unspecified). They are denied unless a rule is about exactly
 * them, see policy_rule_means_special. A unix socket needs a rule that matches its path.
 *
 * The policy does not apply to configured targets, which may always be scraped. It cannot see where a server
 * forwards a connection: a proxy at an allowed address may connect to anything.
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

/* Reference-counted, on one thread only. Must not change after it has been shared. */
struct policy {
    unsigned references;
    struct policy_rules allow, deny;
};

enum policy_verdict {
    POLICY_ALLOWED,
    POLICY_FORBIDDEN,
    POLICY_UNRESOLVED, /* the name must be resolved first; only if no endpoint is given */
};

/* Reasons for a refusal, for the counters. */
enum policy_ground {
    POLICY_BY_ALLOW, /* no rule allows the address */
    POLICY_BY_DENY,
    POLICY_BY_METADATA, /* special address, and no rule is about exactly it */
    POLICY_BY_LINK_LOCAL,
    POLICY_BY_SPECIAL, /* other special address: multicast, broadcast, unspecified */
    POLICY_BY_UNIX,
    POLICY_BY_LISTENER, /* the exporter's own listening socket */
    POLICY_GROUNDS,
};

/* Returns the name of a ground, such as "link_local". */
const char *policy_ground_name(enum policy_ground ground);

/* Size of the text of a refusal, with its NUL. */
#define POLICY_WHY_MAX 192

/* The reason of a refusal. */
struct policy_refusal {
    enum policy_ground ground;
    char why[POLICY_WHY_MAX]; /* one line of text that names the rule */
};

/* Creates a policy without rules, with one reference. Returns NULL when out of memory. */
struct policy *policy_new(void);

/*
 * Returns the static default policy, which has no rules. policy_hold and policy_release may be called for it.
 */
struct policy *policy_none(void);

/* Appends a copy of the rule to policy->allow or policy->deny. Returns false when out of memory. */
bool policy_add(struct policy_rules *rules, const struct policy_rule *rule);

struct policy *policy_hold(struct policy *policy);

/* Releases a reference. `policy` may be NULL. */
void policy_release(struct policy *policy);

/* Orders policies by their rules. Returns 0 if both have the same rules in the same order. */
int policy_compare(const struct policy *a, const struct policy *b);

/*
 * Decides whether a URL may name an address. `address` is the address as requested. For a host name,
 * `endpoint` is one of its resolved addresses, or NULL before the name is resolved. For IP addresses and
 * paths, `endpoint` is NULL. Sets `refusal` only if the result is POLICY_FORBIDDEN.
 */
enum policy_verdict policy_check(const struct policy *policy, const struct address *address,
                                 const union endpoint *endpoint, struct policy_refusal *refusal);

#endif
