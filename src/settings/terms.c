#include "settings/terms.h"

#include <stdlib.h>
#include <uv.h>

static void free_config(struct config *config)
{
    if (config) config_deinit(config);
    free(config);
}

int terms_new(struct terms **result, struct config *config, const struct options *flags, struct buffer *error)
{
    struct terms *terms = calloc(1, sizeof(*terms));
    if (!terms) {
        free_config(config);
        return UV_ENOMEM;
    }
    terms->references = 1;
    terms->config = config;
    terms->standard = (struct config_module){"default", flags->timeout_ns, flags->collectors};
    int status = settings_make(&terms->settings, flags, config, error);
    if (status < 0) {
        terms_release(terms);
        return status;
    }
    *result = terms;
    return 0;
}

const struct config *terms_file(const struct terms *terms)
{
    return terms->config && terms->config->file ? terms->config : NULL;
}

const struct config_module *terms_module(const struct terms *terms, struct slice name)
{
    if (name.len == 0) name = slice_of(terms->standard.name);
    if (terms->config) return config_module(terms->config, name);
    return slice_is(name, terms->standard.name) ? &terms->standard : NULL;
}

struct policy *terms_policy(const struct terms *terms)
{
    return terms->config && terms->config->policy ? terms->config->policy : policy_none();
}

struct terms *terms_hold(struct terms *terms)
{
    terms->references++;
    return terms;
}

void terms_release(struct terms *terms)
{
    if (!terms || --terms->references > 0) return;
    settings_deinit(&terms->settings);
    free_config(terms->config);
    free(terms);
}
