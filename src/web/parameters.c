#include "web/parameters.h"

#include "base/container.h"
#include "gather/gather.h"
#include "http/query.h"
#include "http/request.h"
#include "memcached/stats.h"

#include <stdio.h>

/* Parameters that are documented and not there yet; taking them in silence would answer another question. */
static const char *const unsupported[] = {"debug"};

static const char not_enabled[] = "it is not enabled, see --collector.*";

/* One reading of a query. */
struct reader {
    struct parameters *parameters;
    const struct parameter_rules *rules;
    struct parameter_refusal *refusal;
    const struct config_module *module; /* the one that the query names, or the default one */
    struct profile *profile; /* of targets that it names: that module under the rules' policy; owned */
};

static bool refuse(struct reader *reader, int status, const char *what, struct slice subject, const char *why)
{
    struct parameter_refusal *refusal = reader->refusal;
    refusal->status = status;
    refusal->what = what;
    refusal->subject = subject;
    snprintf(refusal->why, sizeof(refusal->why), "%s", why);
    return false;
}

static bool read_target(struct reader *reader, struct slice name)
{
    const struct options *options = reader->rules->options;
    struct target_list *targets = &reader->parameters->targets;
    struct address address;
    char forbidden[POLICY_WHY_MAX];
    if (!reader->rules->takes_targets || name.len == 0) return true;

    const char *expected = address_parse(&address, name, MEMCACHED_PORT);
    if (expected) {
        char why[sizeof(reader->refusal->why)];
        snprintf(why, sizeof(why), "expected %s", expected);
        return refuse(reader, 400, "target", name, why);
    }
    if (policy_check(reader->profile->policy, &address, NULL, forbidden) == POLICY_FORBIDDEN &&
        !fleet_has(reader->rules->fleet, &address)) {
        return refuse(reader, 403, "target", name, forbidden);
    }
    if (target_list_add(targets, reader->rules->fleet, &address, reader->profile, options->target_label,
                        name) < 0) {
        return refuse(reader, 503, "target", name, "out of memory");
    }
    /* Looked at behind it, since one that was named before is not one more. */
    if (targets->count > options->max_targets) {
        return refuse(reader, 400, "target", name, "too many targets, see --scrape.max-targets");
    }
    return true;
}

static bool read_collector(struct reader *reader, struct slice name)
{
    reader->parameters->narrowed = true;
    reader->parameters->commands |= COMMAND_BIT(COMMAND_STATS);
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        if (!slice_is(name, own_collector(own)->name)) continue;
        if (!(own_collectors(reader->rules->options) & OWN_BIT(own))) {
            return refuse(reader, 400, "collector", name, not_enabled);
        }
        reader->parameters->own_collectors |= OWN_BIT(own);
        return true;
    }
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (!slice_is(name, command_info(command)->name)) continue;
        reader->parameters->commands |= COMMAND_BIT(command);
        return true;
    }
    return refuse(reader, 400, "unknown collector", name, "");
}

static bool read_name(struct reader *reader, struct slice name)
{
    buffer_append_slice(&reader->parameters->names, name);
    buffer_append_char(&reader->parameters->names, '\0');
    return !reader->parameters->names.failed || refuse(reader, 503, "name[]", name, "out of memory");
}

static bool read_fail(struct reader *reader, struct slice value)
{
    reader->parameters->fail = slice_is(value, "true");
    return reader->parameters->fail || slice_is(value, "false") ||
           refuse(reader, 400, "fail", value, "expected true or false");
}

static bool read_module(struct reader *reader, struct slice name)
{
    if (name.len == 0) return true;
    if (!generation_module(reader->rules->generation, name))
        return refuse(reader, 400, "unknown module", name, "");
    if (!reader->rules->takes_targets)
        return refuse(reader, 400, "module", name, "configured targets have the module of their group");
    return true;
}

/* Which servers a URL names is the business of the one who writes it. */
static bool read_shard(struct reader *reader, struct slice value)
{
    char why[sizeof(reader->refusal->why)];
    if (reader->rules->takes_targets)
        return refuse(reader, 400, "shard", value, "only configured targets are divided into shards");
    const char *expected = shard_parse(&reader->parameters->shard, value);
    if (!expected) return true;
    snprintf(why, sizeof(why), "expected %s", expected);
    return refuse(reader, 400, "shard", value, why);
}

static bool read_pair(struct reader *reader, struct slice name, struct slice value)
{
    if (slice_is(name, "target")) return read_target(reader, value);
    if (slice_is(name, "collect[]")) return read_collector(reader, value);
    if (slice_is(name, "name[]")) return read_name(reader, value);
    if (slice_is(name, "fail")) return read_fail(reader, value);
    if (slice_is(name, "shard")) return read_shard(reader, value);
    if (slice_is(name, "module")) return read_module(reader, value);
    for (size_t n = 0; n < ARRAY_LEN(unsupported); n++) {
        if (slice_is(name, unsupported[n]))
            return refuse(reader, 400, "parameter", name, "not supported yet");
    }
    return true;
}

static bool read_pairs(struct reader *reader, struct slice query)
{
    static const struct slice nothing = {NULL, 0};
    struct slice name, value;
    for (;;) {
        switch (query_next(&query, &reader->parameters->storage, &name, &value)) {
        case QUERY_PAIR:
            if (!read_pair(reader, name, value)) return false;
            break;
        case QUERY_MALFORMED:
            return refuse(reader, 400, "malformed query", nothing,
                          "expected '%' to be followed by two hexadecimal digits other than 00");
        case QUERY_END:
            if (!reader->rules->takes_targets || reader->parameters->targets.count) return true;
            return refuse(reader, 400, "'target' parameter must be specified", nothing, "");
        }
    }
}

/*
 * Finds the module before anything else is read, since it may stand behind the targets that are asked by it.
 * What is wrong with the query shows when it is read.
 */
static bool find_profile(struct reader *reader, struct slice query)
{
    const struct parameter_rules *rules = reader->rules;
    struct slice name, value;
    reader->module = generation_module(rules->generation, (struct slice){NULL, 0});
    while (query_next(&query, &reader->parameters->storage, &name, &value) == QUERY_PAIR) {
        if (!slice_is(name, "module") || value.len == 0) continue;
        const struct config_module *named = generation_module(rules->generation, value);
        if (named) reader->module = named;
    }
    buffer_clear(&reader->parameters->storage);
    reader->profile = profile_new(reader->module->collectors, config_timeout_ms(reader->module),
                                  rules->policy ? rules->policy : policy_none());
    return reader->profile;
}

static bool choose_commands(struct reader *reader)
{
    struct parameters *parameters = reader->parameters;
    unsigned enabled = reader->rules->commands;
    if (reader->rules->takes_targets) enabled = reader->module->collectors | COMMAND_BIT(COMMAND_STATS);
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        if (parameters->commands & ~enabled & COMMAND_BIT(command))
            return refuse(reader, 400, "collector", slice_of(command_info(command)->name), not_enabled);
    }
    if (parameters->commands == 0) parameters->commands = enabled;
    return true;
}

bool parameters_read(struct parameters *parameters, const struct parameter_rules *rules, struct slice query,
                     struct parameter_refusal *refusal)
{
    struct reader reader = {.parameters = parameters, .rules = rules, .refusal = refusal};
    *parameters = (struct parameters){0};
    buffer_init(&parameters->names, REQUEST_HEAD_MAX);
    buffer_init(&parameters->storage, REQUEST_HEAD_MAX);
    if ((query.len && !buffer_reserve(&parameters->storage, query.len)) || !find_profile(&reader, query))
        return refuse(&reader, 503, "out of memory", (struct slice){NULL, 0}, "");
    bool read = read_pairs(&reader, query) && choose_commands(&reader);
    profile_release(reader.profile);
    return read;
}

void parameters_clear(struct parameters *parameters)
{
    target_list_clear(&parameters->targets);
    buffer_deinit(&parameters->names);
    buffer_deinit(&parameters->storage);
}
