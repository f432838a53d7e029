#include "targets/generation.h"

#include <assert.h>
#include <stdlib.h>

static size_t count_sources(const struct config *config)
{
    size_t count = 0;
    for (size_t n = 0; n < config->group_count; n++) {
        for (const struct config_source *at = config->groups[n].sources; at; at = at->next) count++;
    }
    return count;
}

static int use_feeds(struct generation *generation, struct providers *providers, struct buffer *error)
{
    const struct config *config = generation->terms->config;
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
    struct terms *terms = NULL;
    int status = terms_new(&terms, config, flags, error);
    if (status == 0 && !generation) status = UV_ENOMEM;
    if (!generation) {
        terms_release(terms);
        return status;
    }
    generation->terms = terms;
    if (status == 0) status = use_feeds(generation, providers, error);
    if (status < 0) {
        generation_free(generation);
        return status;
    }
    *result = generation;
    return 0;
}

void generation_free(struct generation *generation)
{
    if (!generation) return;
    for (size_t n = 0; n < generation->provider_count; n++) provider_leave(generation->providers[n]);
    free(generation->providers);
    free(generation->found);
    free(generation->owners);
    terms_release(generation->terms);
    free(generation);
}

bool generation_is_answered(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++) {
        if (!discovery_state(generation->providers[n]->discovery)->answered) return false;
    }
    return true;
}

const struct results *const *generation_found(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++) {
        generation->found[n] = discovery_found(generation->providers[n]->discovery);
    }
    return generation->found;
}

bool generation_needs_labels(const struct generation *generation, size_t targets)
{
    const struct terms *terms = generation->terms;
    return terms->config->file || generation->provider_count > 0 || targets > 1 ||
           terms->settings.options.shard.count > 1;
}

bool generation_is_blind(const struct generation *generation)
{
    for (size_t n = 0; n < generation->provider_count; n++) {
        const struct discovery_state *state = discovery_state(generation->providers[n]->discovery);
        if (!(state->last_success_s > 0)) return true;
    }
    return false;
}

const struct config_group *generation_group(const struct generation *generation, size_t provider)
{
    assert(provider < generation->provider_count);
    return generation->owners[provider];
}
