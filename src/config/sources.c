/* Reads the sources that find targets of a group while the exporter runs. */
#include "base/container.h"
#include "config/reading.h"

#include <uv.h>

/* Appends a source to the group. Returns its settings, or NULL when out of memory. */
static struct discovery_config *add_source(struct config *config, struct config_group *group,
                                           enum discovery_kind kind)
{
    struct config_source *source = arena_alloc(&config->arena, 1, sizeof(*source));
    if (!source) return NULL;
    source->asks.kind = kind;
    if (group->last_source)
        group->last_source->next = source;
    else
        group->sources = source;
    group->last_source = source;
    return &source->asks;
}

/* --- DNS --- */

/* Checks that `name` is a host name without a port. Returns NULL, or what was expected. */
static const char *check_name(struct slice name)
{
    struct address address;
    bool plain = name.len && !memchr(name.data, ':', name.len) && !memchr(name.data, '/', name.len);
    const char *expected =
        plain ? address_parse(&address, name, MEMCACHED_PORT) : "a host name without a port";
    if (expected) return expected;
    return address.kind == ADDRESS_NAME ? NULL : "a host name, not an address";
}

static int read_name(struct reading *reading, const struct node *node, void *place)
{
    const char *expected = node_is_text(node) ? check_name(node->text) : "a host name";
    return expected ? reading_reject(reading, node, expected) : copy_text(reading, node->text, place);
}

static int read_type(struct reading *reading, const struct node *node, void *place)
{
    static const struct {
        const char *name;
        enum dns_type type;
    } types[] = {{"A", DNS_A}, {"AAAA", DNS_AAAA}, {"SRV", DNS_SRV}};
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (!slice_is_nocase(node->text, types[i].name)) continue;
        *(enum dns_type *) place = types[i].type;
        return 0;
    }
    return reading_reject(reading, node, "A, AAAA or SRV");
}

static const struct field dns_fields[] = {
    {"name", read_name, offsetof(struct discovery_config, dns.name), true},
    {"type", read_type, offsetof(struct discovery_config, dns.type), false},
    {"port", read_port, offsetof(struct discovery_config, dns.port), false},
    {"refresh", read_refresh, offsetof(struct discovery_config, refresh_ms), false},
};

/*
 * Checks the port. SRV records contain the port of each server, so `port` is not allowed; for address records
 * it is required.
 */
static int check_dns(struct reading *reading, const struct node *node, const struct discovery_config *source)
{
    const struct node *port = node_get(node, "port");
    bool is_srv = source->dns.type == DNS_SRV;
    if (is_srv && port)
        return reading_reject(reading, port, "no port, because SRV records already contain the port");
    return is_srv || port ? 0 : reading_reject_missing(reading, node, "port");
}

bool config_is_dns_target(struct slice text)
{
    return slice_starts(text, "dns+") || slice_starts(text, "dnssrv+");
}

int config_add_dns_target(struct config *config, struct config_group *group, struct slice text,
                          const char **expected)
{
    struct address address;
    bool is_srv = slice_starts(text, "dnssrv+");
    struct slice host = slice_from(text, strlen(is_srv ? "dnssrv+" : "dns+"));
    *expected = is_srv ? check_name(host) : NULL;
    if (!*expected) *expected = address_parse(&address, host, MEMCACHED_PORT);
    if (!*expected && (address.kind != ADDRESS_NAME || slice_starts(host, ":")))
        *expected = "a host name behind dns+";
    if (*expected) return UV_EINVAL;
    struct discovery_config *source = add_source(config, group, DISCOVERY_DNS);
    if (!source) return UV_ENOMEM;
    source->dns.name = arena_copy(&config->arena, slice_of(address.host));
    source->dns.type = is_srv ? DNS_SRV : DNS_ADDRESSES;
    source->dns.port = is_srv ? 0 : address.port;
    return source->dns.name ? 0 : UV_ENOMEM;
}

int read_dns_target(struct reading *reading, const struct node *node, struct config_group *group)
{
    const char *expected;
    int result = config_add_dns_target(reading->config, group, node->text, &expected);
    return result == UV_EINVAL ? reading_reject(reading, node, expected) : result;
}

/* --- Files --- */

static bool ends_with(struct slice text, const char *end)
{
    size_t len = strlen(end);
    return text.len > len && slice_is(slice_from(text, text.len - len), end);
}

static int read_patterns(struct reading *reading, const struct node *node, void *place)
{
    struct discovery_config *source = place;
    if (node->kind != NODE_SEQUENCE || !node->first)
        return reading_reject(reading, node, "a list with at least one file");
    const char **patterns = arena_alloc(&reading->config->arena, node->count, sizeof(*patterns));
    if (!patterns) return UV_ENOMEM;
    source->file_sd.patterns = patterns;
    source->file_sd.directory = reading->config->directory;
    for (const struct node *item = node->first; item; item = item->next) {
        struct slice text = item->text;
        if (!ends_with(text, ".json") && !ends_with(text, ".yml") && !ends_with(text, ".yaml"))
            return reading_reject(reading, item, "a file or pattern that ends in .json, .yml or .yaml");
        int result = copy_text(reading, text, &patterns[source->file_sd.count++]);
        if (result < 0) return result;
    }
    return 0;
}

static const struct field file_sd_fields[] = {
    {"files", read_patterns, 0, true},
    {"refresh", read_refresh, offsetof(struct discovery_config, refresh_ms), false},
};

/* --- URLs, endpoints --- */

static const struct field http_sd_fields[] = {
    {"url", read_url, offsetof(struct discovery_config, http_sd.url), true},
    {"refresh", read_refresh, offsetof(struct discovery_config, refresh_ms), false},
};

static int read_endpoint(struct reading *reading, const struct node *node, void *place)
{
    struct address *endpoint = place;
    const char *expected = "an address such as host:port";
    if (node_is_text(node)) expected = address_parse(endpoint, node->text, MEMCACHED_PORT);
    if (!expected && endpoint->kind == ADDRESS_UNIX) expected = "host:port, not a path";
    return expected ? reading_reject(reading, node, expected) : 0;
}

static const struct field elasticache_fields[] = {
    {"endpoint", read_endpoint, offsetof(struct discovery_config, elasticache.endpoint), true},
    {"refresh", read_refresh, offsetof(struct discovery_config, refresh_ms), false},
};

/* --- A source, or a list of sources --- */

static const struct {
    struct schema schema;
    /* Checks keys that depend on each other; NULL if there are none. */
    int (*check)(struct reading *reading, const struct node *node, const struct discovery_config *source);
} kinds[] = {
    [DISCOVERY_DNS] = {SCHEMA(dns_fields), check_dns},
    [DISCOVERY_FILE_SD] = {SCHEMA(file_sd_fields), NULL},
    [DISCOVERY_HTTP_SD] = {SCHEMA(http_sd_fields), NULL},
    [DISCOVERY_ELASTICACHE] = {SCHEMA(elasticache_fields), NULL},
};

static int read_source(struct reading *reading, const struct node *node, struct config_group *group,
                       enum discovery_kind kind)
{
    struct discovery_config *source = add_source(reading->config, group, kind);
    if (!source) return UV_ENOMEM;
    if (kind == DISCOVERY_DNS) source->dns.type = DNS_A;
    int result = reading_mapping(reading, node, &kinds[kind].schema, source);
    return result < 0 || !kinds[kind].check ? result : kinds[kind].check(reading, node, source);
}

static int read_sources(struct reading *reading, const struct node *node, struct config_group *group,
                        enum discovery_kind kind)
{
    int result = 0;
    if (node->kind == NODE_SCALAR) return reading_reject(reading, node, "a mapping, or a list of mappings");
    if (node->kind == NODE_MAPPING) return read_source(reading, node, group, kind);
    for (const struct node *item = node->first; item && result == 0; item = item->next)
        result = read_source(reading, item, group, kind);
    return result;
}

int read_dns(struct reading *reading, const struct node *node, void *place)
{
    return read_sources(reading, node, place, DISCOVERY_DNS);
}

int read_file_sd(struct reading *reading, const struct node *node, void *place)
{
    return read_sources(reading, node, place, DISCOVERY_FILE_SD);
}

int read_http_sd(struct reading *reading, const struct node *node, void *place)
{
    return read_sources(reading, node, place, DISCOVERY_HTTP_SD);
}

int read_elasticache(struct reading *reading, const struct node *node, void *place)
{
    return read_sources(reading, node, place, DISCOVERY_ELASTICACHE);
}
