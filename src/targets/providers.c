#include "targets/providers.h"

#include "base/container.h"
#include "net/dns.h"

#include <assert.h>
#include <stdlib.h>

void providers_init(struct providers *providers, const struct discovery_services *services,
                    providers_change_fn on_change, void *context)
{
    *providers = (struct providers){.services = *services, .on_change = on_change, .context = context};
    list_init(&providers->list);
}

/* --- Use --- */

static void on_change(void *context)
{
    struct provider *provider = context;
    provider->providers->on_change(provider->providers->context, discovery_found(provider->discovery));
}

/* Makes the DNS service when the first DNS source needs it, because c-ares takes memory and reads files. */
static int need_dns(struct providers *providers)
{
    return providers->services.dns ? 0 : dns_new(&providers->services.dns, providers->services.loop, NULL);
}

static struct provider *find_provider(struct providers *providers, const struct discovery_config *config)
{
    list_each (&providers->list, at, after) {
        struct provider *provider = container_of(at, struct provider, link);
        if (discovery_asks(provider->discovery, config)) return provider;
    }
    return NULL;
}

static int open_provider(struct provider **opened, struct providers *providers,
                         const struct discovery_config *config, struct buffer *error)
{
    struct provider *provider = calloc(1, sizeof(*provider));
    int result = provider ? 0 : UV_ENOMEM;
    if (result == 0 && config->kind == DISCOVERY_DNS) result = need_dns(providers);
    if (result == 0) {
        result =
            discovery_new(&provider->discovery, &providers->services, config, on_change, provider, error);
    }
    if (result < 0) {
        free(provider);
        return result;
    }
    provider->providers = providers;
    providers->open++;
    list_append(&providers->list, &provider->link);
    *opened = provider;
    return 0;
}

int providers_use(struct provider **provider, struct providers *providers,
                  const struct discovery_config *config, struct buffer *error)
{
    *provider = find_provider(providers, config);
    int result = *provider ? 0 : open_provider(provider, providers, config, error);
    if (result == 0) (*provider)->users++;
    return result;
}

/* --- Closing --- */

static void on_dns_closed(void *context)
{
    struct providers *providers = context;
    providers->on_closed(providers->context);
}

static void finish_close(struct providers *providers)
{
    if (!providers->on_closed || providers->open > 0) return;
    if (providers->services.dns)
        dns_close(providers->services.dns, on_dns_closed, providers);
    else
        providers->on_closed(providers->context);
}

static void on_provider_closed(void *context)
{
    struct provider *provider = context;
    struct providers *providers = provider->providers;
    free(provider);
    providers->open--;
    finish_close(providers);
}

void provider_leave(struct provider *provider)
{
    if (--provider->users > 0) return;
    link_remove(&provider->link);
    discovery_close(provider->discovery, on_provider_closed, provider);
}

void providers_close(struct providers *providers, providers_close_fn on_closed)
{
    assert(list_is_empty(&providers->list) && !providers->on_closed);
    providers->on_closed = on_closed;
    finish_close(providers);
}
