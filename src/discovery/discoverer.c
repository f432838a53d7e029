#include "discovery/discoverer.h"

#include "discovery/discovery.h"
#include "discovery/dns_sd.h"
#include "discovery/elasticache.h"
#include "discovery/file_sd.h"
#include "discovery/http_sd.h"

static discoverer_new_fn *const constructors[] = {
    [DISCOVERY_DNS] = dns_sd_new,
    [DISCOVERY_FILE_SD] = file_sd_new,
    [DISCOVERY_HTTP_SD] = http_sd_new,
    [DISCOVERY_ELASTICACHE] = elasticache_new,
};

int discoverer_new(struct discoverer **discoverer, const struct discovery_services *services,
                   const struct discovery_config *config, struct buffer *error)
{
    return constructors[config->kind](discoverer, services, config, error);
}
