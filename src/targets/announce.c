#include "targets/announce.h"

#include "base/log.h"

#include <stdio.h>

/* Texts of numbers, for the fields of a log line. */
struct figures {
    char targets[24], elsewhere[24], shard[24];
};

static struct figures figures_of(const struct options *options, const struct target_set *target_set)
{
    struct figures figures;
    snprintf(figures.targets, sizeof(figures.targets), "%zu", target_set->targets.count);
    snprintf(figures.elsewhere, sizeof(figures.elsewhere), "%zu", target_set->elsewhere);
    snprintf(figures.shard, sizeof(figures.shard), "%u/%u", options->shard.index, options->shard.count);
    return figures;
}

static void log_start(const struct options *options, const struct figures *figures)
{
    struct log_field fields[6] = {LOG_FIELD("targets", figures->targets)};
    size_t count = 1;
    if (options->shard.count > 1) {
        fields[count++] = LOG_FIELD("shard", figures->shard);
        fields[count++] = LOG_FIELD("targets_of_other_shards", figures->elsewhere);
    }
    if (options->textfile[0]) fields[count++] = LOG_FIELD("textfile", options->textfile);
    if (push_is_given(options->push.url)) fields[count++] = LOG_FIELD("push", options->push.url);
    if (push_is_given(options->remote_write.url))
        fields[count++] = LOG_FIELD("remote_write", options->remote_write.url);
    log_write(options->once ? LOG_DEBUG : LOG_INFO, "the exporter is ready", fields, count);
}

static bool has_sources(const struct config *config)
{
    for (size_t n = 0; n < config->group_count; n++) {
        if (config->groups[n].sources) return true;
    }
    return false;
}

static void log_empty(const struct generation *generation, const struct target_set *target_set,
                      const struct figures *figures)
{
    const struct options *options = &generation->settings.options;
    bool by_url = options->web && !options->once && options->scrape_endpoint;
    if (target_set->elsewhere > 0)
        log_line(LOG_WARN, "no server to scrape: all configured servers belong to other shards",
                 LOG_FIELD("shard", figures->shard),
                 LOG_FIELD("targets_of_other_shards", figures->elsewhere));
    else if (has_sources(generation->config))
        log_write(LOG_WARN, "no server to scrape: discovery has found none so far", NULL, 0);
    else if (by_url)
        log_line(LOG_INFO, "no server is configured, only those that a URL names are scraped",
                 LOG_FIELD("path", options->scrape_path));
    else
        log_write(LOG_WARN, "no server to scrape: none is configured, see --memcached.address", NULL, 0);
}

void announce_targets(struct announced *announced, const struct generation *generation,
                      const struct target_set *target_set)
{
    const struct options *options = &generation->settings.options;
    struct figures figures = figures_of(options, target_set);
    bool empty = target_set->targets.count == 0;
    if (!announced->started) log_start(options, &figures);
    if (empty && !announced->empty) log_empty(generation, target_set, &figures);
    if (!empty && announced->empty)
        log_line(LOG_INFO, "there are servers to scrape again", LOG_FIELD("targets", figures.targets));
    *announced = (struct announced){.started = true, .empty = empty};
}
