#include "settings/from_flags.h"

#include "base/utf8.h"

#include <string.h>
#include <uv.h>

/* State while the addresses of --memcached.address are added to one group of the configuration. */
struct filling {
    struct config *config;
    struct config_group *group;
    struct config_target *targets; /* the array of the group, with room for all addresses */
};

static int reject_address(struct buffer *error, const char *text, const char *expected)
{
    buffer_append_string(error, "--memcached.address: \"");
    utf8_append_escaped(error, slice_of(text));
    buffer_printf(error, "\": expected %s", expected);
    return UV_EINVAL;
}

static int add_source(struct filling *filling, const char *text, struct buffer *error)
{
    const char *expected;
    int result = config_add_dns_target(filling->config, filling->group, slice_of(text), &expected);
    return result == UV_EINVAL ? reject_address(error, text, expected) : result;
}

static int add_address(struct filling *filling, const char *text, struct buffer *error)
{
    if (config_is_dns_target(slice_of(text))) return add_source(filling, text, error);
    struct config_target *target = &filling->targets[filling->group->target_count];
    const char *expected = address_parse(&target->address, slice_of(text), MEMCACHED_PORT);
    if (expected) return reject_address(error, text, expected);
    target->name = arena_copy(&filling->config->arena, slice_of(text));
    if (!target->name) return UV_ENOMEM;
    filling->group->target_count++;
    return 0;
}

int config_add_flags(struct config *config, const struct options *flags, struct buffer *error)
{
    struct filling filling = {.config = config};
    filling.group = arena_alloc(&config->arena, 1, sizeof(*filling.group));
    filling.targets = arena_alloc(&config->arena, flags->addresses.count + 1, sizeof(*filling.targets));
    if (!filling.group || !filling.targets) return UV_ENOMEM;
    filling.group->name = "";
    filling.group->module = config->modules;
    filling.group->targets = filling.targets;
    config->groups = filling.group;
    config->group_count = 1;
    for (size_t n = 0; n < flags->addresses.count; n++) {
        int result = add_address(&filling, flags->addresses.items[n], error);
        if (result < 0) return result;
    }
    config->target_count = filling.group->target_count;
    return 0;
}

/* --- The target policy --- */

static bool add_rules(struct policy_rules *rules, const struct string_list *texts)
{
    for (size_t n = 0; n < texts->count; n++) {
        struct policy_rule rule;
        /* Every rule parses, because options_parse has checked it. */
        if (policy_rule_parse(&rule, slice_of(texts->items[n]))) continue;
        if (!policy_add(rules, &rule)) return false;
    }
    return true;
}

static int warn_of(struct config *config, const struct policy_rule *rule, const char *doubt)
{
    struct buffer line;
    buffer_init(&line, 4096);
    buffer_append_string(&line, "--scrape.deny: \"");
    utf8_append_escaped(&line, slice_of(rule->text));
    buffer_printf(&line, "\": %s", doubt);
    int result = line.failed ? UV_ENOMEM : config_warn(config, buffer_slice(&line));
    buffer_deinit(&line);
    return result;
}

int config_add_policy(struct config *config, const struct options *flags)
{
    if (config->has_policy || flags->scrape_allow.count + flags->scrape_deny.count == 0) return 0;
    config->policy = policy_new();
    if (!config->policy || !add_rules(&config->policy->allow, &flags->scrape_allow) ||
        !add_rules(&config->policy->deny, &flags->scrape_deny))
        return UV_ENOMEM;
    const struct policy_rules *deny = &config->policy->deny;
    for (size_t n = 0; n < deny->count; n++) {
        const char *doubt = policy_rule_doubt(&deny->items[n], deny->items, deny->count);
        if (doubt && warn_of(config, &deny->items[n], doubt) < 0) return UV_ENOMEM;
    }
    return 0;
}
