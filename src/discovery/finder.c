#include "discovery/finder.h"

#include "discovery/discovery.h"
#include "discovery/dns_sd.h"
#include "discovery/elasticache.h"
#include "discovery/file_sd.h"
#include "discovery/http_sd.h"

static finder_new_fn *const constructors[] = {
    [DISCOVERY_DNS] = dns_sd_new,
    [DISCOVERY_FILE_SD] = file_sd_new,
    [DISCOVERY_HTTP_SD] = http_sd_new,
    [DISCOVERY_ELASTICACHE] = elasticache_new,
};

int finder_new(struct finder **finder, const struct discovery_services *services,
               const struct discovery_config *config, struct buffer *error)
{
    return constructors[config->kind](finder, services, config, error);
}
