#include "net/policy.h"

#include "net/own_listeners.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char unix_forbidden[] =
    "a unix socket may be scraped by URL only if it is configured or scrape_policy allows its path";
static const char path_forbidden[] = "a path with . or .. in it may not be scraped by URL";

/* --- Life --- */

struct policy *policy_new(void)
{
    struct policy *policy = calloc(1, sizeof(*policy));
    if (policy) policy->references = 1;
    return policy;
}

struct policy *policy_none(void)
{
    static struct policy none = {.references = 1};
    return &none;
}

bool policy_add(struct policy_rules *rules, const struct policy_rule *rule)
{
    struct policy_rule *items = realloc(rules->items, (rules->count + 1) * sizeof(*items));
    if (!items) return false;
    rules->items = items;
    items[rules->count++] = *rule;
    return true;
}

struct policy *policy_hold(struct policy *policy)
{
    policy->references++;
    return policy;
}

void policy_release(struct policy *policy)
{
    if (!policy || --policy->references > 0) return;
    free(policy->allow.items);
    free(policy->deny.items);
    free(policy);
}

static int compare_rules(const struct policy_rules *a, const struct policy_rules *b)
{
    int order = (a->count > b->count) - (a->count < b->count);
    for (size_t n = 0; order == 0 && n < a->count; n++) order = strcmp(a->items[n].text, b->items[n].text);
    return order;
}

int policy_compare(const struct policy *a, const struct policy *b)
{
    if (a == b) return 0;
    int order = compare_rules(&a->allow, &b->allow);
    return order ? order : compare_rules(&a->deny, &b->deny);
}

/* --- Judging --- */

/*
 * Returns POLICY_MATCH if a rule matches, else POLICY_MATCH_LATER if a rule may match once the name is
 * resolved. Sets `which` to the first rule that matches.
 */
static enum policy_match match_any(const struct policy_rules *rules, const struct address *address,
                                   const union endpoint *endpoint, const struct policy_rule **which)
{
    enum policy_match best = POLICY_NO_MATCH;
    for (size_t n = 0; n < rules->count; n++) {
        enum policy_match match = policy_rule_match(&rules->items[n], address, endpoint);
        if (match == POLICY_MATCH) {
            *which = &rules->items[n];
            return match;
        }
        if (match == POLICY_MATCH_LATER) best = match;
    }
    return best;
}

/* Appends "cache-1:11211", or "cache-1:11211 (10.0.0.1:11211)" for a resolved name. */
static void append_subject(const struct address *address, const union endpoint *endpoint, struct buffer *out)
{
    address_format(address, out);
    if (address->kind != ADDRESS_NAME || !endpoint) return;
    buffer_append_string(out, " (");
    endpoint_format(endpoint, out);
    buffer_append_char(out, ')');
}

const char *policy_ground_name(enum policy_ground ground)
{
    static const char *const names[POLICY_GROUNDS] = {
        [POLICY_BY_ALLOW] = "allow",       [POLICY_BY_DENY] = "deny",
        [POLICY_BY_METADATA] = "metadata", [POLICY_BY_LINK_LOCAL] = "link_local",
        [POLICY_BY_SPECIAL] = "special",   [POLICY_BY_UNIX] = "unix",
        [POLICY_BY_LISTENER] = "listener",
    };
    return names[ground];
}

/* Sets `refusal`. `reason` is the beginning of the line: "scrape_policy denies private, and this is ". */
static enum policy_verdict forbid(enum policy_ground ground, const char *reason,
                                  const struct address *address, const union endpoint *endpoint,
                                  struct policy_refusal *refusal)
{
    struct buffer line;
    buffer_init(&line, 1024);
    buffer_append_string(&line, reason);
    append_subject(address, endpoint, &line);
    refusal->ground = ground;
    snprintf(refusal->why, sizeof(refusal->why), "%.*s", SLICE_ARG(buffer_slice(&line)));
    buffer_deinit(&line);
    return POLICY_FORBIDDEN;
}

static enum policy_verdict forbid_by_rule(const struct policy_rule *rule, const struct address *address,
                                          const union endpoint *endpoint, struct policy_refusal *refusal)
{
    char reason[2 * ADDRESS_HOST_MAX];
    snprintf(reason, sizeof(reason), "scrape_policy denies %s, and this is ", rule->text);
    return forbid(POLICY_BY_DENY, reason, address, endpoint, refusal);
}

static enum policy_verdict forbid_special(const struct network_list *special, const struct address *address,
                                          const union endpoint *endpoint, struct policy_refusal *refusal)
{
    enum policy_ground ground = POLICY_BY_SPECIAL;
    char reason[128];
    if (special->name)
        ground = strcmp(special->name, "metadata") == 0 ? POLICY_BY_METADATA : POLICY_BY_LINK_LOCAL;
    snprintf(reason, sizeof(reason),
             "unless scrape_policy allows just that, %s may not be scraped by URL: ", special->of);
    return forbid(ground, reason, address, endpoint, refusal);
}

/*
 * Returns true if the address is one of the exporter's own listeners. Returns false for a name without an
 * endpoint.
 */
static bool is_own(const struct address *address, const union endpoint *endpoint)
{
    union endpoint literal;
    if (!endpoint && address_endpoint(address, &literal)) endpoint = &literal;
    return endpoint && own_listeners_have(endpoint);
}

static enum policy_verdict forbid_own(const struct address *address, const union endpoint *endpoint,
                                      struct policy_refusal *refusal)
{
    return forbid(POLICY_BY_LISTENER, "the exporter itself may not be scraped as a memcached: ", address,
                  endpoint, refusal);
}

/* Returns true if a part of the path is "." or "..". A pattern cannot tell where such a path leads. */
static bool has_dots(struct slice path)
{
    while (path.data) {
        struct slice part = slice_cut(&path, '/');
        if (slice_is(part, ".") || slice_is(part, "..")) return true;
    }
    return false;
}

static enum policy_verdict check_path(const struct policy *policy, const struct address *address,
                                      struct policy_refusal *refusal)
{
    const struct policy_rule *rule = NULL;
    const char *reason = NULL;
    if (match_any(&policy->deny, address, NULL, &rule) == POLICY_MATCH)
        return forbid_by_rule(rule, address, NULL, refusal);
    if (match_any(&policy->allow, address, NULL, &rule) != POLICY_MATCH)
        reason = unix_forbidden;
    else if (has_dots(slice_of(address->host)))
        reason = path_forbidden;
    else if (is_own(address, NULL))
        return forbid_own(address, NULL, refusal);
    if (!reason) return POLICY_ALLOWED;
    refusal->ground = POLICY_BY_UNIX;
    snprintf(refusal->why, sizeof(refusal->why), "%s", reason);
    return POLICY_FORBIDDEN;
}

/* Returns the rules that apply if the policy has no allow rules. */
static const struct policy_rules *default_allow(void)
{
    static struct policy_rule private;
    static const struct policy_rules rules = {&private, 1};
    if (!private.list) policy_rule_parse(&private, SLICE("private"));
    return &rules;
}

/* Returns true if one of the rules is about exactly this special address. */
static bool is_meant(const struct policy_rules *allow, const struct address *address,
                     const union endpoint *endpoint)
{
    for (size_t n = 0; n < allow->count; n++) {
        if (policy_rule_means_special(&allow->items[n], address, endpoint)) return true;
    }
    return false;
}

enum policy_verdict policy_check(const struct policy *policy, const struct address *address,
                                 const union endpoint *endpoint, struct policy_refusal *refusal)
{
    const struct policy_rules *allow = policy->allow.count ? &policy->allow : default_allow();
    const struct policy_rule *rule = NULL;
    if (address->kind == ADDRESS_UNIX) return check_path(policy, address, refusal);
    enum policy_match denied = match_any(&policy->deny, address, endpoint, &rule);
    if (denied == POLICY_MATCH) return forbid_by_rule(rule, address, endpoint, refusal);
    if (is_own(address, endpoint)) return forbid_own(address, endpoint, refusal);
    const struct network_list *special = policy_special(address, endpoint);
    if (special && !is_meant(allow, address, endpoint))
        return forbid_special(special, address, endpoint, refusal);
    enum policy_match allowed = match_any(allow, address, endpoint, &rule);
    if (allowed == POLICY_NO_MATCH)
        return forbid(POLICY_BY_ALLOW,
                      policy->allow.count ? "no rule of scrape_policy allows "
                                          : "only private addresses may be scraped by URL "
                                            "(--scrape.allow and scrape_policy change that), not ",
                      address, endpoint, refusal);
    /* Even if a rule allows the name, its addresses may be special, so they must be checked, too. */
    bool later = address->kind == ADDRESS_NAME && !endpoint;
    return later || denied == POLICY_MATCH_LATER || allowed == POLICY_MATCH_LATER ? POLICY_UNRESOLVED
                                                                                  : POLICY_ALLOWED;
}
