#include "discovery/discovery_config.h"

#include <stdlib.h>
#include <string.h>

/* --- Copying --- */

static bool copy_string(const char **copy, const char *string)
{
    *copy = strdup(string);
    return *copy != NULL;
}

static bool copy_patterns(struct discovery_config *copy, const struct discovery_config *config)
{
    size_t count = config->file_sd.count;
    const char **patterns = calloc(count ? count : 1, sizeof(*patterns));
    copy->file_sd.patterns = patterns;
    copy->file_sd.count = patterns ? count : 0;
    copy->file_sd.directory = NULL;
    bool complete = patterns && copy_string(&copy->file_sd.directory, config->file_sd.directory);
    for (size_t i = 0; complete && i < count; i++)
        complete = copy_string(&patterns[i], config->file_sd.patterns[i]);
    return complete;
}

bool discovery_config_copy(struct discovery_config *copy, const struct discovery_config *config)
{
    *copy = *config;
    switch (config->kind) {
    case DISCOVERY_DNS:
        return copy_string(&copy->dns.name, config->dns.name);
    case DISCOVERY_FILE_SD:
        return copy_patterns(copy, config);
    case DISCOVERY_HTTP_SD:
        return copy_string(&copy->http_sd.url, config->http_sd.url);
    case DISCOVERY_ELASTICACHE:
        break;
    }
    return true;
}

static void free_patterns(struct discovery_config *copy)
{
    for (size_t i = 0; i < copy->file_sd.count; i++) free((void *) copy->file_sd.patterns[i]);
    free((void *) copy->file_sd.patterns);
    free((void *) copy->file_sd.directory);
}

void discovery_config_deinit(struct discovery_config *copy)
{
    switch (copy->kind) {
    case DISCOVERY_DNS:
        free((void *) copy->dns.name);
        break;
    case DISCOVERY_FILE_SD:
        free_patterns(copy);
        break;
    case DISCOVERY_HTTP_SD:
        free((void *) copy->http_sd.url);
        break;
    case DISCOVERY_ELASTICACHE:
        break;
    }
}

/* --- Comparing --- */

static bool same_patterns(const struct discovery_config *a, const struct discovery_config *b)
{
    if (a->file_sd.count != b->file_sd.count) return false;
    for (size_t i = 0; i < a->file_sd.count; i++) {
        if (strcmp(a->file_sd.patterns[i], b->file_sd.patterns[i]) != 0) return false;
    }
    return strcmp(a->file_sd.directory, b->file_sd.directory) == 0;
}

static bool same_endpoint(const struct address *a, const struct address *b)
{
    return a->kind == b->kind && a->port == b->port && strcmp(a->host, b->host) == 0;
}

bool discovery_config_equal(const struct discovery_config *a, const struct discovery_config *b)
{
    if (a->kind != b->kind || a->refresh_ms != b->refresh_ms) return false;
    switch (a->kind) {
    case DISCOVERY_DNS:
        return a->dns.type == b->dns.type && strcmp(a->dns.name, b->dns.name) == 0 &&
               (a->dns.type == DNS_SRV || a->dns.port == b->dns.port);
    case DISCOVERY_FILE_SD:
        return same_patterns(a, b);
    case DISCOVERY_HTTP_SD:
        return a->http_sd.timeout_ms == b->http_sd.timeout_ms && strcmp(a->http_sd.url, b->http_sd.url) == 0;
    case DISCOVERY_ELASTICACHE:
        break;
    }
    return a->elasticache.timeout_ms == b->elasticache.timeout_ms &&
           same_endpoint(&a->elasticache.endpoint, &b->elasticache.endpoint);
}

/* --- Describing --- */

void discovery_config_describe(const struct discovery_config *config, struct buffer *out)
{
    switch (config->kind) {
    case DISCOVERY_DNS:
        buffer_append_string(out, config->dns.name);
        break;
    case DISCOVERY_FILE_SD:
        for (size_t i = 0; i < config->file_sd.count; i++) {
            if (i) buffer_append_char(out, ',');
            buffer_append_string(out, config->file_sd.patterns[i]);
        }
        break;
    case DISCOVERY_HTTP_SD:
        buffer_append_string(out, config->http_sd.url);
        break;
    case DISCOVERY_ELASTICACHE:
        address_format(&config->elasticache.endpoint, out);
        break;
    }
}
