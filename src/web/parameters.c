#include "web/parameters.h"

#include "base/container.h"
#include "base/log.h"
#include "base/nearest.h"
#include "base/number.h"
#include "gather/expose.h"
#include "http/accept.h"
#include "http/compressor.h"
#include "http/query.h"
#include "memcached/stats.h"
#include "web/debug.h"

#include <stdio.h>
#include <string.h>

static const char not_enabled[] = "it is not enabled, see --collector.*";

/* State of reading the parameters of one request. */
struct parameter_reader {
    struct scrape_request *scrape;
    struct handlers *handlers;
    const struct generation *generation; /* the active generation */
    const struct options *options;
    const struct config_module *module; /* module that the query names, or the default module */
    struct profile *profile;            /* profile of targets from the query; owned */
    struct profile *trusted; /* for debug=true, of those that are configured, too; owned; or NULL */
    bool takes_targets;
    struct query_refusal *refusal;

    unsigned commands;       /* collectors of memcached that collect[]= names */
    bool narrowed;           /* true if the query has a collect[]= */
    unsigned own_collectors; /* the exporter's own collectors that collect[]= names */
};

static bool refuse_query(struct parameter_reader *reader, int status, const char *what, struct slice subject,
                         const char *why)
{
    struct query_refusal *refusal = reader->refusal;
    size_t len = subject.len < sizeof(refusal->sent) ? subject.len : sizeof(refusal->sent);
    refusal->status = status;
    refusal->what = what;
    refusal->subject = subject;
    if (subject.data) {
        if (len) memcpy(refusal->sent, subject.data, len);
        refusal->subject = (struct slice){refusal->sent, len};
    }
    snprintf(refusal->why, sizeof(refusal->why), "%s", why);
    return false;
}

/* Refuses a value. `expected` completes the reason: "expected ..." */
static bool refuse_value(struct parameter_reader *reader, const char *what, struct slice value,
                         const char *expected)
{
    char why[sizeof(reader->refusal->why)];
    snprintf(why, sizeof(why), "expected %s", expected);
    return refuse_query(reader, 400, what, value, why);
}

/* --- The query --- */

static bool read_target(struct parameter_reader *reader, struct slice name)
{
    struct fleet *fleet = reader->handlers->fleet;
    struct target_list *targets = &reader->scrape->url_targets;
    struct address address;
    struct policy_refusal refusal;
    if (!reader->takes_targets && name.len)
        log_line_limited(
            LOG_WARN,
            "ignoring a target in a request for all configured servers; metrics_path of Prometheus "
            "may have to be the scrape path",
            (struct log_field){"target", name}, LOG_FIELD("path", reader->options->scrape_path));
    if (!reader->takes_targets || name.len == 0) return true;

    const char *expected = address_parse(&address, name, MEMCACHED_PORT);
    if (expected) return refuse_value(reader, "target", name, expected);
    if (policy_check(reader->profile->policy, &address, NULL, &refusal) == POLICY_FORBIDDEN &&
        !fleet_has(fleet, &address)) {
        reader->handlers->telemetry->refused[refusal.ground]++;
        return refuse_query(reader, 403, "target", name, refusal.why);
    }
    bool trusts = reader->trusted && fleet_has_access(fleet, &address, reader->profile);
    if (target_list_add(targets, fleet, &address, trusts ? reader->trusted : reader->profile,
                        reader->options->target_label, name) < 0)
        return refuse_query(reader, 503, "target", name, "out of memory");
    if (reader->scrape->debug && targets->count > DEBUG_TARGETS_MAX)
        return refuse_query(reader, 400, "target", name, "too many targets for debug=true");
    /* Checks the count after adding, since a name that is given twice counts once. */
    if (targets->count > reader->options->max_targets)
        return refuse_query(reader, 400, "target", name, "too many targets, see --scrape.max-targets");
    return true;
}

static bool read_collector(struct parameter_reader *reader, struct slice name)
{
    reader->narrowed = true;
    for (enum own_collector own = 0; own < OWN_COUNT; own++) {
        if (!slice_is(name, own_collector(own)->name)) continue;
        if (!(own_collectors(reader->options) & OWN_BIT(own)))
            return refuse_query(reader, 400, "collector", name, not_enabled);
        reader->own_collectors |= OWN_BIT(own);
        return true;
    }
    unsigned found = collector_find(name);
    reader->commands |= found;
    return found || refuse_query(reader, 400, "unknown collector", name, "");
}

static bool read_name(struct parameter_reader *reader, struct slice name)
{
    struct buffer *names = &reader->scrape->names;
    buffer_append_slice(names, name);
    buffer_append_char(names, '\0');
    return !names->failed || refuse_query(reader, 503, "name[]", name, "out of memory");
}

static bool read_fail(struct parameter_reader *reader, struct slice value)
{
    reader->scrape->fail = slice_is(value, "true");
    return reader->scrape->fail || slice_is(value, "false") ||
           refuse_value(reader, "fail", value, "true or false");
}

static bool read_module(struct parameter_reader *reader, struct slice name)
{
    if (name.len == 0) return true;
    if (!generation_module(reader->generation, name))
        return refuse_query(reader, 400, "unknown module", name, "");
    if (!reader->takes_targets)
        return refuse_query(reader, 400, "module", name, "configured targets have the module of their group");
    return true;
}

static bool read_shard(struct parameter_reader *reader, struct slice value)
{
    if (reader->takes_targets)
        return refuse_query(reader, 400, "shard", value, "only configured targets are divided into shards");
    const char *expected = shard_parse(&reader->scrape->shard, value);
    return !expected || refuse_value(reader, "shard", value, expected);
}

/* find_profile has already set scrape->debug, since the targets before this parameter need it. */
static bool read_debug(struct parameter_reader *reader, struct slice value)
{
    if (slice_is(value, "false")) return true;
    if (!slice_is(value, "true")) return refuse_value(reader, "debug", value, "true or false");
    return reader->takes_targets ||
           refuse_query(reader, 400, "debug", value, "it is for targets in the URL of /scrape");
}

static bool read_created(struct parameter_reader *reader, struct slice value)
{
    reader->scrape->created = slice_is(value, "true");
    return reader->scrape->created || slice_is(value, "false") ||
           refuse_value(reader, "created", value, "true or false");
}

/*
 * Logs a parameter that is nearly one of ours, such as collect instead of collect[]. Other unknown parameters
 * are ignored silently: Prometheus also sends those that its configuration has for other exporters.
 */
static void doubt_parameter(struct slice name)
{
    static const char *const known[] = {"target", "collect[]", "name[]", "fail",
                                        "shard",  "module",    "debug",  "created"};
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (size_t n = 0; n < ARRAY_LEN(known); n++) nearest_try(&nearest, known[n]);
    if (!nearest.name) return;
    log_line_limited(LOG_WARN, "ignoring an unknown parameter of a scrape request",
                     (struct log_field){"parameter", name}, LOG_FIELD("did_you_mean", nearest.name));
}

static bool read_pair(struct parameter_reader *reader, struct slice name, struct slice value)
{
    if (slice_is(name, "target")) return read_target(reader, value);
    if (slice_is(name, "collect[]")) return read_collector(reader, value);
    if (slice_is(name, "name[]")) return read_name(reader, value);
    if (slice_is(name, "fail")) return read_fail(reader, value);
    if (slice_is(name, "shard")) return read_shard(reader, value);
    if (slice_is(name, "module")) return read_module(reader, value);
    if (slice_is(name, "debug")) return read_debug(reader, value);
    if (slice_is(name, "created")) return read_created(reader, value);
    doubt_parameter(name);
    return true;
}

/* Returns all collectors that are enabled for at least one configured target. */
static unsigned configured_commands(const struct parameter_reader *reader)
{
    const struct config *config = reader->generation->config;
    unsigned commands = reader->options->collectors;
    for (size_t n = 0; n < config->module_count; n++) commands |= config->modules[n].collectors;
    return commands;
}

static bool choose_commands(struct parameter_reader *reader)
{
    const unsigned stats = COMMAND_BIT(COMMAND_STATS);
    unsigned enabled = configured_commands(reader);
    if (reader->takes_targets) enabled = reader->module->collectors | stats;
    unsigned named = collectors_complete(reader->commands, enabled & SLAB_SUMMARY);
    for (unsigned collector = 0; collector < COLLECTOR_COUNT; collector++) {
        if (named & ~enabled & ~stats & COMMAND_BIT(collector))
            return refuse_query(reader, 400, "collector", slice_of(collector_name(collector)), not_enabled);
    }
    reader->scrape->commands = reader->narrowed ? named | stats : enabled & COLLECTORS_ALL;
    return true;
}

/*
 * Creates a profile of the module. `trusts`: its servers may see the login and our certificate, and be
 * probed.
 */
static struct profile *make_profile(const struct parameter_reader *reader, struct policy *policy, bool trusts)
{
    const struct config_module *module = reader->module;
    /* A probe writes to the server. */
    unsigned withheld = trusts ? 0 : COLLECTOR_PROBE;
    struct profile *profile = profile_new(module->collectors & ~withheld, config_timeout_ms(module), policy);
    /*
     * Without a module in the file, the client certificate of the flags is presented to any target, as the
     * official exporter does.
     */
    bool is_of_flags = module->place.line == 0;
    if (!profile) return NULL;
    profile_set_access(profile, module->access,
                       (struct profile_trust){.login = trusts, .certificate = trusts || is_of_flags});
    profile->traced = reader->scrape->debug;
    return profile;
}

/*
 * Finds the module and creates the profile. This comes first, since the module parameter may follow the
 * targets that use it. Errors in the query are reported later, when the query is read. Returns false when out
 * of memory.
 */
static bool find_profile(struct parameter_reader *reader, struct slice query, struct buffer *storage)
{
    struct slice name, value;
    reader->module = generation_module(reader->generation, (struct slice){NULL, 0});
    while (query_next(&query, storage, &name, &value) == QUERY_PAIR) {
        if (slice_is(name, "debug")) reader->scrape->debug = slice_is(value, "true");
        if (!slice_is(name, "module") || value.len == 0) continue;
        const struct config_module *named = generation_module(reader->generation, value);
        if (named) reader->module = named;
    }
    buffer_clear(storage);
    reader->profile =
        make_profile(reader, generation_policy(reader->generation), reader->module->url_targets);
    if (!reader->profile || !reader->scrape->debug) return reader->profile;
    reader->trusted = make_profile(reader, NULL, true);
    return reader->trusted;
}

static bool read_query(struct parameter_reader *reader, struct slice query, struct buffer *storage)
{
    static const struct slice nothing = {NULL, 0};
    struct slice name, value;
    enum query_outcome outcome;
    reader->scrape->created = reader->options->created_lines;
    if (!find_profile(reader, query, storage)) return refuse_query(reader, 503, "out of memory", nothing, "");
    while ((outcome = query_next(&query, storage, &name, &value)) == QUERY_PAIR) {
        if (!read_pair(reader, name, value)) return false;
    }
    if (outcome == QUERY_NO_MEMORY) return refuse_query(reader, 503, "out of memory", nothing, "");
    if (outcome == QUERY_MALFORMED)
        return refuse_query(reader, 400, "malformed query", nothing,
                            "expected '%' to be followed by two hexadecimal digits other than 00");
    if (reader->takes_targets && reader->scrape->url_targets.count == 0)
        return refuse_query(reader, 400, "'target' parameter must be specified", nothing, "");
    return choose_commands(reader);
}

/* --- The headers --- */

/*
 * The least time to reserve for the answer. Waiting ends at a turn of the loop, which may come some
 * milliseconds late. Samples that are not written by the deadline are left out.
 */
#define ANSWER_MS 20

/*
 * Returns how much of `left_ms` to reserve for encoding, compressing and sending the answer. This is 1.5
 * times the expected time, since the machine may be busier now, and at most half of `left_ms`. It is at least
 * ANSWER_MS, or an eighth of a short `left_ms`.
 */
static double answer_ms(const struct parameter_reader *reader, double left_ms)
{
    const struct scrape_request *scrape = reader->scrape;
    const struct answer_pace *pace = &reader->handlers->telemetry->pace;
    size_t targets = scrape_request_targets(scrape)->count;
    if (scrape->shard.count) targets /= scrape->shard.count;
    double expected_ms = 1.5 * (double) answer_pace_expected_ns(pace, scrape->packed, targets) / 1e6;
    double least_ms = left_ms / 8 < ANSWER_MS ? left_ms / 8 : ANSWER_MS;
    if (expected_ms < least_ms) return least_ms;
    return expected_ms < left_ms / 2 ? expected_ms : left_ms / 2;
}

/*
 * Lowers the timeout to the time that Prometheus allows. The configured offset, for the way back of the
 * answer, and the time for encoding are subtracted first. If the header's value is not above the offset, half
 * of the value is used instead.
 */
static void read_timeout(struct parameter_reader *reader, struct slice header)
{
    struct scrape_request *scrape = reader->scrape;
    uint64_t *timeout_ms = &scrape->timeout_ms;
    double seconds, offset = (double) reader->options->timeout_offset_ns / 1e9;
    if (header.len == 0) return;
    if (!number_parse_double(header, &seconds) || !(seconds > 0)) {
        log_line_limited(LOG_WARN,
                         "ignoring the header X-Prometheus-Scrape-Timeout-Seconds of a request: "
                         "expected a number of seconds above 0",
                         (struct log_field){"value", header});
        return;
    }
    double left_ms = 1000 * (seconds > offset ? seconds - offset : seconds / 2);
    scrape->deadline_ns = uv_hrtime() + (uint64_t) (left_ms < 1e12 ? left_ms * 1e6 : 1e18);
    left_ms -= answer_ms(reader, left_ms);
    if (left_ms >= (double) *timeout_ms) return;
    *timeout_ms = left_ms < 1 ? 1 : (uint64_t) left_ms;
}

/*
 * Chooses the format that the client prefers. Prometheus 3 also sends a scheme for escaping unusual names.
 * All names of the exporter are plain, so every scheme is accepted.
 */
static void read_accept(struct scrape_request *scrape, struct slice accept)
{
    static const char *const escapings[] = {"allow-utf-8", "underscores", "dots", "values"};
    static const char *const content_types[] = {
        [FORMAT_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
        [FORMAT_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
        [FORMAT_PROTOBUF] =
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited",
    };
    static const struct media_offer offers[] = {
        [FORMAT_TEXT] = {"text/plain", .version = "0.0.4"},
        [FORMAT_OPENMETRICS] = {"application/openmetrics-text", .version = "1.0.0"},
        [FORMAT_PROTOBUF] = {"application/vnd.google.protobuf", .proto = "io.prometheus.client.MetricFamily",
                             .encoding = "delimited"},
    };
    struct media_choice choice = accept_choose(accept, offers, ARRAY_LEN(offers));
    const char *escaping = NULL;
    for (size_t n = 0; n < ARRAY_LEN(escapings); n++) {
        if (slice_is(choice.escaping, escapings[n])) escaping = escapings[n];
    }
    scrape->format = (enum format) choice.offer;
    snprintf(scrape->content_type, sizeof(scrape->content_type), "%s%s%s", content_types[choice.offer],
             escaping ? "; escaping=" : "", escaping ? escaping : "");
}

bool parameters_read(struct scrape_request *scrape, struct handlers *handlers, const struct request *request,
                     bool takes_targets, struct query_refusal *refusal)
{
    const struct generation *generation = manager_generation(handlers->manager);
    const struct options *options = &generation->settings.options;
    struct target_set *target_set = manager_target_set(handlers->manager);
    struct parameter_reader reader = {.scrape = scrape,
                                      .handlers = handlers,
                                      .generation = generation,
                                      .options = options,
                                      .takes_targets = takes_targets,
                                      .refusal = refusal};
    struct buffer storage; /* the decoded query */
    buffer_init(&storage, REQUEST_HEAD_MAX);
    buffer_init(&scrape->names, REQUEST_HEAD_MAX);
    bool good = read_query(&reader, request->query, &storage);
    buffer_deinit(&storage);
    profile_release(reader.profile);
    profile_release(reader.trusted);
    if (!good) return false;
    if (takes_targets) {
        scrape->with_labels = scrape->url_targets.count > 1;
    } else {
        scrape->target_set = target_set_hold(target_set);
        scrape->with_labels = target_set->with_labels;
        scrape->own_collectors = reader.narrowed ? reader.own_collectors : own_collectors(options);
        scrape->pid_file = options->pid_file;
    }
    scrape->timeout_ms = SCRAPE_NO_TIMEOUT;
    if (scrape->debug)
        snprintf(scrape->content_type, sizeof(scrape->content_type), "%s", TEXT_PLAIN);
    else
        read_accept(scrape, request->headers[HEADER_ACCEPT]);
    scrape->packed = coding_choose(request->headers[HEADER_ACCEPT_ENCODING]) != CODING_IDENTITY;
    read_timeout(&reader, request->headers[HEADER_SCRAPE_TIMEOUT]);
    return true;
}
