#include "net/policy.h"

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

/* The best of all rules: one that matches, else that one of them may later. */
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

/* "cache-1:11211", and what the name was resolved to. */
static void append_subject(const struct address *address, const union endpoint *endpoint, struct buffer *out)
{
    address_format(address, out);
    if (address->kind != ADDRESS_NAME || !endpoint) return;
    buffer_append_string(out, " (");
    endpoint_format(endpoint, out);
    buffer_append_char(out, ')');
}

/* `reason` begins the line: "scrape_policy denies private, and this is ". */
static enum policy_verdict forbid(const char *reason, const struct address *address,
                                  const union endpoint *endpoint, char *why)
{
    struct buffer line;
    buffer_init(&line, 1024);
    buffer_append_string(&line, reason);
    append_subject(address, endpoint, &line);
    snprintf(why, POLICY_WHY_MAX, "%.*s", SLICE_ARG(buffer_slice(&line)));
    buffer_deinit(&line);
    return POLICY_FORBIDDEN;
}

static enum policy_verdict forbid_by_rule(const struct policy_rule *rule, const struct address *address,
                                          const union endpoint *endpoint, char *why)
{
    char reason[2 * ADDRESS_HOST_MAX];
    snprintf(reason, sizeof(reason), "scrape_policy denies %s, and this is ", rule->text);
    return forbid(reason, address, endpoint, why);
}

/* Whether a part of the path is "." or "..": such a path leads elsewhere than a pattern can tell. */
static bool has_dots(struct slice path)
{
    while (path.data) {
        struct slice part = slice_cut(&path, '/');
        if (slice_is(part, ".") || slice_is(part, "..")) return true;
    }
    return false;
}

static enum policy_verdict check_path(const struct policy *policy, const struct address *address, char *why)
{
    const struct policy_rule *rule = NULL;
    const char *reason = NULL;
    if (match_any(&policy->deny, address, NULL, &rule) == POLICY_MATCH)
        return forbid_by_rule(rule, address, NULL, why);
    if (match_any(&policy->allow, address, NULL, &rule) != POLICY_MATCH)
        reason = unix_forbidden;
    else if (has_dots(slice_of(address->host)))
        reason = path_forbidden;
    if (!reason) return POLICY_ALLOWED;
    snprintf(why, POLICY_WHY_MAX, "%s", reason);
    return POLICY_FORBIDDEN;
}

/* What is allowed where the policy does not say it. */
static const struct policy_rules *default_allow(void)
{
    static struct policy_rule private;
    static const struct policy_rules rules = {&private, 1};
    if (!private.list) policy_rule_parse(&private, SLICE("private"));
    return &rules;
}

/* Whether a special address is meant by one of the rules. */
static bool is_meant(const struct policy_rules *allow, const struct address *address,
                     const union endpoint *endpoint)
{
    for (size_t n = 0; n < allow->count; n++) {
        if (policy_rule_means_special(&allow->items[n], address, endpoint)) return true;
    }
    return false;
}

enum policy_verdict policy_check(const struct policy *policy, const struct address *address,
                                 const union endpoint *endpoint, char why[POLICY_WHY_MAX])
{
    const struct policy_rules *allow = policy->allow.count ? &policy->allow : default_allow();
    const struct policy_rule *rule = NULL;
    if (address->kind == ADDRESS_UNIX) return check_path(policy, address, why);
    enum policy_match denied = match_any(&policy->deny, address, endpoint, &rule);
    if (denied == POLICY_MATCH) return forbid_by_rule(rule, address, endpoint, why);
    const char *special = policy_special_name(address, endpoint);
    if (special && !is_meant(allow, address, endpoint)) {
        char reason[128];
        snprintf(reason, sizeof(reason),
                 "unless scrape_policy allows just that, %s may not be scraped by URL: ", special);
        return forbid(reason, address, endpoint, why);
    }
    enum policy_match allowed = match_any(allow, address, endpoint, &rule);
    if (allowed == POLICY_NO_MATCH)
        return forbid(policy->allow.count ? "no rule of scrape_policy allows "
                                          : "only private addresses may be scraped by URL, not ",
                      address, endpoint, why);
    /* What a name leads to may be special, whatever allows the name. */
    bool later = address->kind == ADDRESS_NAME && !endpoint;
    return later || denied == POLICY_MATCH_LATER || allowed == POLICY_MATCH_LATER ? POLICY_UNRESOLVED
                                                                                  : POLICY_ALLOWED;
}
