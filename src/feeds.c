#include "feeds.h"

#include "base/container.h"
#include "net/dns.h"

#include <assert.h>
#include <stdlib.h>

void feeds_init(struct feeds *feeds, const struct discovery_services *services, feeds_change_fn on_change,
                void *context)
{
    *feeds = (struct feeds){.services = *services, .on_change = on_change, .context = context};
    list_init(&feeds->list);
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
    struct feed *feed = context;
    feed->feeds->on_change(feed->feeds->context, discovery_found(feed->discovery));
}

/* c-ares costs memory and reads files, for those alone who discover by DNS. */
static int need_dns(struct feeds *feeds)
{
    return feeds->services.dns ? 0 : dns_new(&feeds->services.dns, feeds->services.loop, NULL);
}

static struct feed *find(struct feeds *feeds, const struct discovery_config *config)
{
    list_each (&feeds->list, at, after) {
        struct feed *feed = container_of(at, struct feed, link);
        if (discovery_asks(feed->discovery, config)) return feed;
    }
    return NULL;
}

static int open_feed(struct feed **opened, struct feeds *feeds, const struct discovery_config *config,
                     struct buffer *error)
{
    struct feed *feed = calloc(1, sizeof(*feed));
    int result = feed ? 0 : UV_ENOMEM;
    if (result == 0 && config->kind == DISCOVERY_DNS) result = need_dns(feeds);
    if (result == 0) {
        result = discovery_new(&feed->discovery, &feeds->services, config, on_change, feed, error);
    }
    if (result < 0) {
        free(feed);
        return result;
    }
    feed->feeds = feeds;
    feeds->open++;
    list_append(&feeds->list, &feed->link);
    *opened = feed;
    return 0;
}

int feeds_use(struct feed **feed, struct feeds *feeds, const struct config_source *source,
              const char *directory, struct buffer *error)
{
    struct discovery_config config = to_discovery(source, directory);
    *feed = find(feeds, &config);
    int result = *feed ? 0 : open_feed(feed, feeds, &config, error);
    if (result == 0) (*feed)->users++;
    return result;
}

/* --- The end --- */

static void on_dns_closed(void *context)
{
    struct feeds *feeds = context;
    feeds->on_closed(feeds->context);
}

static void finish_close(struct feeds *feeds)
{
    if (!feeds->on_closed || feeds->open > 0) return;
    if (feeds->services.dns)
        dns_close(feeds->services.dns, on_dns_closed, feeds);
    else
        feeds->on_closed(feeds->context);
}

static void on_feed_closed(void *context)
{
    struct feed *feed = context;
    struct feeds *feeds = feed->feeds;
    free(feed);
    feeds->open--;
    finish_close(feeds);
}

void feed_leave(struct feed *feed)
{
    if (--feed->users > 0) return;
    link_remove(&feed->link);
    discovery_close(feed->discovery, on_feed_closed, feed);
}

void feeds_close(struct feeds *feeds, feeds_close_fn on_closed)
{
    assert(list_is_empty(&feeds->list) && !feeds->on_closed);
    feeds->on_closed = on_closed;
    finish_close(feeds);
}
