#include "targets/generation.h"

#include <assert.h>
#include <stdlib.h>
#include <uv.h>

static size_t count_sources(const struct config *config)
{
    size_t count = 0;
    for (size_t n = 0; n < config->group_count; n++) {
        for (const struct config_source *at = config->groups[n].sources; at; at = at->next) count++;
    }
    return count;
}

static int use_providers(struct generation *generation, struct providers *providers, struct buffer *error)
{
    const struct config *config = generation->config;
    size_t count = count_sources(config);
    generation->providers = calloc(count + 1, sizeof(struct provider *));
    generation->found = calloc(count + 1, sizeof(struct results *));
    generation->owners = calloc(count + 1, sizeof(struct config_group *));
    if (!generation->providers || !generation->found || !generation->owners) return UV_ENOMEM;
    for (size_t n = 0; n < config->group_count; n++) {
        for (const struct config_source *at = config->groups[n].sources; at; at = at->next) {
            struct provider *provider;
            int result = providers_use(&provider, providers, &at->asks, error);
            if (result < 0) return result;
            generation->owners[generation->provider_count] = &config->groups[n];
            generation->providers[generation->provider_count++] = provider;
        }
    }
    return 0;
}

int generation_new(struct generation **result, struct config *config, const struct options *flags,
                   struct providers *providers, struct buffer *error)
{
    struct generation *generation = calloc(1, sizeof(*generation));
    if (!generation) {
        config_deinit(config);
        free(config);
        return UV_ENOMEM;
    }
    generation->references = 1;
    generation->config = config;
    int status = settings_make(&generation->settings, flags, config, error);
    if (status == 0) status = use_providers(generation, providers, error);
    if (status < 0) {
        generation_retire(generation);
        generation_release(generation);
        return status;
    }
    *result = generation;
    return 0;
}

static void inherit_access(struct config_module *module, const struct config *from)
{
    for (size_t n = 0; n < from->module_count; n++) {
        if (!access_equals(module->access, from->modules[n].access)) continue;
        access_release(module->access);
        module->access = access_hold(from->modules[n].access);
        return;
    }
}

void generation_inherit(struct generation *generation, const struct generation *from)
{
    struct config *config = generation->config;
    for (size_t n = 0; n < config->module_count; n++) {
        if (config->modules[n].access) inherit_access(&config->modules[n], from->config);
    }
}

struct generation *generation_hold(struct generation *generation)
{
    generation->references++;
    return generation;
}

void generation_release(struct generation *generation)
{
    if (!generation || --generation->references > 0) return;
    assert(generation->provider_count == 0);
    free(generation->providers);
    free(generation->found);
    free(generation->owners);
    config_deinit(generation->config);
    free(generation->config);
    free(generation);
}

void generation_retire(struct generation *generation)
{
    while (generation->provider_count > 0)
        provider_leave(generation->providers[--generation->provider_count]);
}

const struct config_module *generation_module(const struct generation *generation, struct slice name)
{
    return config_module(generation->config, name.len ? name : SLICE("default"));
}

struct policy *generation_policy(const struct generation *generation)
{
    return generation->config->policy ? generation->config->policy : policy_none();
}

struct generation_source generation_source(const struct generation *generation, size_t n)
{
    assert(n < generation->provider_count);
    return (struct generation_source){generation->owners[n]->name,
                                      discovery_state(generation->providers[n]->discovery)};
}

bool generation_is_answered(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++) {
        if (!discovery_state(generation->providers[n]->discovery)->answered) return false;
    }
    return true;
}

bool generation_is_blind(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++) {
        if (!(discovery_state(generation->providers[n]->discovery)->last_success_s > 0)) return true;
    }
    return false;
}

const struct results *const *generation_found(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++)
        generation->found[n] = discovery_found(generation->providers[n]->discovery);
    return generation->found;
}

bool generation_needs_labels(const struct generation *generation, size_t targets)
{
    return generation->config->file || generation->provider_count > 0 || targets > 1 ||
           generation->settings.options.shard.count > 1;
}
