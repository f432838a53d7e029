#include "settings/from_flags.h"

#include "base/utf8.h"

#include <errno.h>
#include <string.h>

/* The group of the flags while it is filled. */
struct filling {
    struct config *config;
    struct config_group *group;
    struct config_target *targets; /* the group's; there is room for all */
};

static int refuse(struct buffer *error, const char *text, const char *expected)
{
    buffer_append_string(error, "--memcached.address: \"");
    utf8_append_escaped(error, slice_of(text));
    buffer_printf(error, "\": expected %s", expected);
    return -EINVAL;
}

static int add_source(struct filling *filling, const char *text, struct buffer *error)
{
    char name[ADDRESS_HOST_MAX + 1];
    struct config_source *source = arena_alloc(&filling->config->arena, 1, sizeof(*source));
    if (!source) return -ENOMEM;
    const char *expected = config_dns_target(slice_of(text), source, name);
    if (expected) return refuse(error, text, expected);
    source->dns.name = arena_copy(&filling->config->arena, slice_of(name));
    if (!source->dns.name) return -ENOMEM;
    if (filling->group->last_source)
        filling->group->last_source->next = source;
    else
        filling->group->sources = source;
    filling->group->last_source = source;
    return 0;
}

static int add_address(struct filling *filling, const char *text, struct buffer *error)
{
    if (config_is_dns_target(slice_of(text))) return add_source(filling, text, error);
    struct config_target *target = &filling->targets[filling->group->target_count];
    const char *expected = address_parse(&target->address, slice_of(text), MEMCACHED_PORT);
    if (expected) return refuse(error, text, expected);
    target->name = arena_copy(&filling->config->arena, slice_of(text));
    if (!target->name) return -ENOMEM;
    filling->group->target_count++;
    return 0;
}

static int add_module(struct config *config, const struct options *flags)
{
    struct config_module *module = arena_alloc(&config->arena, 1, sizeof(*module));
    if (!module) return -ENOMEM;
    *module = (struct config_module){"default", flags->timeout_ns, flags->collectors};
    config->modules = module;
    config->module_count = 1;
    return 0;
}

int config_of_flags(struct config *config, const struct options *flags, struct buffer *error)
{
    *config = (struct config){.directory = "."};
    arena_init(&config->arena);
    return add_module(config, flags) < 0 ? -ENOMEM : config_add_flags(config, flags, error);
}

int config_add_flags(struct config *config, const struct options *flags, struct buffer *error)
{
    struct filling filling = {.config = config};
    filling.group = arena_alloc(&config->arena, 1, sizeof(*filling.group));
    filling.targets = arena_alloc(&config->arena, flags->addresses.count + 1, sizeof(*filling.targets));
    if (!filling.group || !filling.targets) return -ENOMEM;
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
