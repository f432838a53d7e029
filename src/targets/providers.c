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

/* --- What is asked --- */

static enum discovery_dns_type dns_type(enum config_record record)
{
    static const enum discovery_dns_type types[] = {
        [CONFIG_A] = DISCOVERY_DNS_A,
        [CONFIG_AAAA] = DISCOVERY_DNS_AAAA,
        [CONFIG_SRV] = DISCOVERY_DNS_SRV,
        [CONFIG_ADDRESSES] = DISCOVERY_DNS_ANY,
    };
    return types[record];
}

static struct discovery_config to_discovery(const struct config_source *source, const char *directory)
{
    struct discovery_config config = {.refresh_ms = source->refresh_ms};
    switch (source->kind) {
    case CONFIG_DNS:
        config.kind = DISCOVERY_DNS;
        config.dns.name = source->dns.name;
        config.dns.type = dns_type(source->dns.record);
        config.dns.port = source->dns.port;
        break;
    case CONFIG_FILE_SD:
        config.kind = DISCOVERY_FILE_SD;
        config.file_sd.patterns = source->file_sd.patterns;
        config.file_sd.count = source->file_sd.count;
        config.file_sd.directory = directory;
        break;
    case CONFIG_HTTP_SD:
        config.kind = DISCOVERY_HTTP_SD;
        config.http_sd.url = source->http_sd.url;
        break;
    case CONFIG_ELASTICACHE:
        config.kind = DISCOVERY_ELASTICACHE;
        config.elasticache.endpoint = source->elasticache.endpoint;
        break;
    }
    return config;
}

/* --- Use --- */

static void on_change(void *context)
{
    struct provider *provider = context;
    provider->providers->on_change(provider->providers->context, discovery_found(provider->discovery));
}

/* c-ares costs memory and reads files, for those alone who discover by DNS. */
static int need_dns(struct providers *providers)
{
    return providers->services.dns ? 0 : dns_new(&providers->services.dns, providers->services.loop, NULL);
}

static struct provider *find(struct providers *providers, const struct discovery_config *config)
{
    list_each (&providers->list, at, after) {
        struct provider *provider = container_of(at, struct provider, link);
        if (discovery_asks(provider->discovery, config)) return provider;
    }
    return NULL;
}

static int open_feed(struct provider **opened, struct providers *providers,
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

int providers_use(struct provider **provider, struct providers *providers, const struct config_source *source,
                  const char *directory, struct buffer *error)
{
    struct discovery_config config = to_discovery(source, directory);
    *provider = find(providers, &config);
    int result = *provider ? 0 : open_feed(provider, providers, &config, error);
    if (result == 0) (*provider)->users++;
    return result;
}

/* --- The end --- */

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

static void on_feed_closed(void *context)
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
    discovery_close(provider->discovery, on_feed_closed, provider);
}

void providers_close(struct providers *providers, providers_close_fn on_closed)
{
    assert(list_is_empty(&providers->list) && !providers->on_closed);
    providers->on_closed = on_closed;
    finish_close(providers);
}
