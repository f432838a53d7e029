/* What a right file becomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "config_file.h"

#include <stdio.h>

static void test_everything_may_be_left_out(void **unused)
{
    struct reading_outcome outcome;
    const struct config *config = &outcome.config;
    (void) unused;
    read_good(&outcome, "{}");
    assert_string_equal(config->file, "/etc/exporter.yml");
    assert_string_equal(config->directory, "/etc");
    assert_string_equal(config->target_label, rules.target_label);
    assert_int_equal(config->shard.count, rules.shard.count);
    assert_int_equal(config->group_count, 0);
    assert_null(config->policy);
    assert_string_equal(config->textfile, rules.textfile);
    assert_memory_equal(&config->push, &rules.push, sizeof(rules.push));
    assert_int_equal(config->module_count, 1);
    assert_string_equal(config->modules[0].name, "default");
    assert_int_equal(config->modules[0].timeout_ns, rules.timeout_ns);
    assert_int_equal(config->modules[0].collectors, rules.collectors);
    release_config(&outcome);
}

static void test_watch(void **unused)
{
    struct reading_outcome outcome;
    const struct watch_config *watch = &outcome.config.watch;
    (void) unused;
    read_good(&outcome, "groups: [{name: a, targets: [], labels: {stream: b}}]");
    assert_false(watch->enabled);
    release_config(&outcome);
    read_good(&outcome, "census: {every: 2h, items: 5, time: 10s, prefixes: 3, trusted_versions: [1.6.18]}");
    assert_true(outcome.config.census.enabled && !watch->enabled);
    assert_int_equal(outcome.config.census.every_ns, UINT64_C(7200000000000));
    assert_int_equal(outcome.config.census.max_items, 5);
    assert_int_equal(outcome.config.census.time_ns, UINT64_C(10000000000));
    assert_int_equal(outcome.config.census.prefixes, 3);
    assert_int_equal(outcome.config.census.trusted_count, 1);
    release_config(&outcome);
    read_good(&outcome, "watch: {}");
    assert_false(outcome.config.census.enabled);
    assert_true(watch->enabled);
    assert_int_equal(watch->window_ns, 2000000000);
    assert_int_equal(watch->keys, WATCH_KEYS_PREFIX);
    release_config(&outcome);
    read_good(&outcome, "watch: {streams: [evictions, proxyreqs], window: 500ms, every: 10s, servers: 2, "
                        "bytes_per_second: 100000, keys: hash, separator: '/', prefixes: 5, hot_keys: 20, "
                        "trusted_versions: [1.6.18, '1.5.6']}");
    assert_int_equal(watch->streams, WATCH_BIT(WATCH_EVICTIONS) | WATCH_BIT(WATCH_PROXYREQS));
    assert_int_equal(watch->window_ns, 500000000);
    assert_int_equal(watch->every_ns, 10000000000);
    assert_int_equal(watch->servers, 2);
    assert_int_equal(watch->bytes_per_second, 100000);
    assert_int_equal(watch->keys, WATCH_KEYS_HASH);
    assert_int_equal(watch->separator, '/');
    assert_int_equal(watch->prefixes, 5);
    assert_int_equal(watch->hot_keys, 20);
    assert_int_equal(watch->trusted_count, 2);
    assert_int_equal(watch->trusted[1].part[1], 5);
    release_config(&outcome);
}

static void test_modules(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "modules:\n"
                        "  brief: {timeout: 250ms, collectors: []}\n"
                        "  few: {collectors: [slab-summary, items]}\n"
                        "  default: {collectors: [stats, items]}\n"
                        "  other: {}\n"
                        "groups:\n"
                        "  - {name: a, module: brief, targets: []}\n"
                        "  - {name: b, targets: []}\n");
    const struct config *config = &outcome.config;
    const struct config_module *brief = config_module(config, SLICE("brief"));
    assert_int_equal(config->module_count, 4);
    assert_string_equal(config->modules[0].name, "default");
    assert_int_equal(config->modules[0].timeout_ns, 1000000000);
    assert_int_equal(config->modules[0].collectors, COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_ITEMS));
    assert_int_equal(brief->timeout_ns, 250000000);
    assert_int_equal(brief->collectors, COMMAND_BIT(COMMAND_STATS));
    assert_int_equal(config_module(config, SLICE("few"))->collectors,
                     COMMAND_BIT(COMMAND_STATS) | SLAB_COMMANDS | SLAB_SUMMARY |
                         WITHOUT_CLASSES(COMMAND_BIT(COMMAND_SLABS)));
    assert_int_equal(config_module(config, SLICE("other"))->collectors, rules.collectors);
    assert_null(config_module(config, SLICE("brie")));
    assert_ptr_equal(config->groups[0].module, brief);
    assert_ptr_equal(config->groups[1].module, &config->modules[0]);
    release_config(&outcome);
}

static void test_targets(void **unused)
{
    static const char *const names[] = {"Cache-1", "[::1]:5", "unix:/a", "/b", "1.2.3.4:5"};
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "groups:\n"
                        "  - name: a\n"
                        "    targets: [Cache-1, \"[::1]:5\", 'unix:/a', /b, 1.2.3.4:5]\n");
    const struct config_group *group = &outcome.config.groups[0];
    assert_int_equal(outcome.config.target_count, 5);
    assert_int_equal(group->target_count, 5);
    for (size_t i = 0; i < 5; i++) assert_string_equal(group->targets[i].name, names[i]);
    assert_string_equal(group->targets[0].address.host, "cache-1");
    assert_int_equal(group->targets[0].address.port, 11211);
    assert_null(group->sources);
    release_config(&outcome);
}

/* Once in a group, however it is written; but other groups may have it too. */
static void test_targets_given_twice(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "groups:\n"
                        "  - name: a\n"
                        "    targets: [cache:11211, other, CACHE, \"[::1]\", \"::1\"]\n"
                        "  - {name: b, targets: [cache]}\n");
    const struct config *config = &outcome.config;
    assert_int_equal(config->target_count, 4);
    assert_int_equal(config->groups[0].target_count, 3);
    assert_string_equal(config->groups[0].targets[0].name, "cache:11211");
    assert_string_equal(config->groups[0].targets[2].name, "[::1]");
    assert_int_equal(config->warning_count, 2);
    assert_string_equal(config->warnings->text,
                        "/etc/exporter.yml:3:35: groups[0].targets[2]: \"CACHE\": is listed "
                        "twice in this group and scraped once");
    assert_non_null(strstr(config->warnings->next->text, "targets[4]: \"::1\": "));
    assert_null(config->warnings->next->next);
    release_config(&outcome);
}

/* Entries that are allowed, and probably not what was meant; with the place and the words of the warning. */
static const struct {
    const char *text, *warning;
} doubtful[] = {
    {"outputs: {push: {job: x}}", "1:17: outputs.push: a mapping: has no effect without url, or --push.url"},
    {"outputs: {textfile: {interval: 3s}}",
     "1:21: outputs.textfile: a mapping: has no effect without path, or --output.textfile"},
    {"scrape_policy: {allow: []}", "1:24: scrape_policy.allow: a list: is empty, so that private addresses "
                                   "are allowed, as without the list; "
                                   "--no-scrape.endpoint forbids all"},
    {"outputs: {push: {url: 'http://g'}, textfile: {path: /x.prom}}", NULL},
    {"scrape_policy: {allow: [private]}", NULL},
    {"outputs: {}", NULL},
};

static void test_doubtful_entries_are_warned_of(void **unused)
{
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(doubtful); n++) {
        struct reading_outcome outcome;
        read_good(&outcome, doubtful[n].text);
        const struct config_warning *warning = outcome.config.warnings;
        if (doubtful[n].warning) {
            assert_non_null(warning);
            assert_string_equal(warning->text + strlen("/etc/exporter.yml:"), doubtful[n].warning);
            warning = warning->next;
        }
        if (warning) fail_msg("%s: %s", doubtful[n].text, warning->text);
        release_config(&outcome);
    }
}

static void test_warnings_are_limited(void **unused)
{
    struct reading_outcome outcome;
    struct buffer text;
    size_t kept = 0;
    (void) unused;
    buffer_init(&text, 1024 * 1024);
    buffer_append_string(&text, "groups: [{name: a, targets: [x");
    for (int i = 0; i < 50; i++) buffer_append_string(&text, ", x");
    buffer_append_string(&text, "]}]");
    buffer_append_char(&text, '\0');
    read_good(&outcome, text.data);
    for (const struct config_warning *at = outcome.config.warnings; at; at = at->next) kept++;
    assert_int_equal(kept, CONFIG_WARNINGS_MAX);
    assert_int_equal(outcome.config.warning_count, 50);
    release_config(&outcome);
    buffer_deinit(&text);
}

static void test_dns(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "groups:\n"
                        "  - name: a\n"
                        "    targets: [\"dns+Cache:5\", x, \"dns+cache.\", \"dnssrv+_m._tcp.a.b\"]\n"
                        "    dns:\n"
                        "      - {name: a.b, port: 65535}\n"
                        "      - {name: a.b, type: aaaa, port: 1, refresh: 1m30s}\n"
                        "      - {name: _m._tcp.a.b, type: SRV, refresh: 1s}\n");
    static const struct {
        const char *name;
        enum dns_type type;
        uint16_t port;
        uint64_t refresh_ms;
    } expected[] = {
        {"cache", DNS_ADDRESSES, 5, 0}, {"cache.", DNS_ADDRESSES, 11211, 0},
        {"_m._tcp.a.b", DNS_SRV, 0, 0}, {"a.b", DNS_A, 65535, 0},
        {"a.b", DNS_AAAA, 1, 90000},    {"_m._tcp.a.b", DNS_SRV, 0, 1000},
    };
    const struct config_source *source = outcome.config.groups[0].sources;
    for (size_t i = 0; i < ARRAY_LEN(expected); i++, source = source->next) {
        assert_non_null(source);
        assert_int_equal(source->asks.kind, DISCOVERY_DNS);
        assert_string_equal(source->asks.dns.name, expected[i].name);
        assert_int_equal(source->asks.dns.type, expected[i].type);
        assert_int_equal(source->asks.dns.port, expected[i].port);
        assert_int_equal(source->asks.refresh_ms, expected[i].refresh_ms);
    }
    assert_null(source);
    assert_int_equal(outcome.config.groups[0].target_count, 1);
    release_config(&outcome);
}

static void test_other_sources(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "groups:\n"
                        "  - name: a\n"
                        "    elasticache: {endpoint: my.cfg, refresh: 60s}\n"
                        "    http_sd: {url: \"https://a.b/c?d=e@f\"}\n"
                        "    file_sd: {files: [x/*.json, /y.yml, z.yaml]}\n");
    const struct config_source *source = outcome.config.groups[0].sources;
    assert_int_equal(source->asks.kind, DISCOVERY_FILE_SD);
    assert_int_equal(source->asks.file_sd.count, 3);
    assert_string_equal(source->asks.file_sd.patterns[0], "x/*.json");
    assert_string_equal(source->asks.file_sd.patterns[2], "z.yaml");
    source = source->next;
    assert_int_equal(source->asks.kind, DISCOVERY_HTTP_SD);
    assert_string_equal(source->asks.http_sd.url, "https://a.b/c?d=e@f");
    source = source->next;
    assert_int_equal(source->asks.kind, DISCOVERY_ELASTICACHE);
    assert_string_equal(source->asks.elasticache.endpoint.host, "my.cfg");
    assert_int_equal(source->asks.elasticache.endpoint.port, 11211);
    assert_int_equal(source->asks.refresh_ms, 60000);
    assert_null(source->next);
    release_config(&outcome);
}

/* References in <>, one part behind the other. */
static const char *parts_of(const char *value)
{
    static char result[256];
    struct reading_outcome outcome;
    char text[256];
    int len = 0;
    snprintf(text, sizeof(text), "groups: [{name: a, targets: [], labels: {l: '%s'}}]", value);
    read_good(&outcome, text);
    const struct config_label *label = &outcome.config.groups[0].labels[0];
    result[0] = '\0';
    for (size_t i = 0; i < label->count; i++)
        len += snprintf(result + len, sizeof(result) - (size_t) len,
                        label->parts[i].reference ? "<%s>" : "%s|", label->parts[i].text);
    release_config(&outcome);
    return result;
}

static void test_references(void **unused)
{
    static const char *const cases[][2] = {
        {"", ""},
        {"web", "web|"},
        {"$zone", "<zone>"},
        {"$meta_zone", "<__meta_zone>"},
        {"${meta_zone}-a", "<__meta_zone>-a|"},
        {"a-$zone.$rack", "a-|<zone>.|<rack>"},
        {"$a$b", "<a><b>"},
        {"$$", "$|"},
        {"$$zone", "$|zone|"},
        {"a$$$b$$", "a|$|<b>$|"},
        {"\xc3\xa4$_x", "\xc3\xa4|<_x>"},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) assert_string_equal(parts_of(cases[i][0]), cases[i][1]);
}

static void test_labels(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "target_label: server\n"
                        "groups:\n"
                        "  - name: a\n"
                        "    targets: []\n"
                        "    labels: {instance: x, rack: 12, up: true, empty: ''}\n");
    const struct config_group *group = &outcome.config.groups[0];
    assert_int_equal(group->label_count, 4);
    assert_string_equal(group->labels[0].name, "instance");
    assert_string_equal(group->labels[1].parts[0].text, "12");
    assert_string_equal(group->labels[2].parts[0].text, "true");
    assert_int_equal(group->labels[3].count, 0);
    assert_string_equal(outcome.config.target_label, "server");
    release_config(&outcome);
}

static void test_shard_and_policy(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome,
              "shard: 2/5\nscrape_policy: {allow: [private, \"*.example.com:11211\"], deny: [10.0.0.0/8]}\n");
    const struct config *config = &outcome.config;
    assert_int_equal(config->shard.index, 2);
    assert_int_equal(config->shard.count, 5);
    assert_int_equal(config->policy->allow.count, 2);
    assert_int_equal(config->policy->deny.count, 1);
    assert_string_equal(config->policy->deny.items[0].text, "10.0.0.0/8");
    release_config(&outcome);
}

static void test_outputs(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(
        &outcome,
        "outputs:\n"
        "  textfile: {path: a.prom, interval: 5s}\n"
        "  push:\n"
        "    {url: \"http://gw:9091\", job: j, grouping: {a: b}, interval: 1s, timeout: 2s, method: POST,\n"
        "     delete_on_exit: false, username: u, password_file: p, ca_file: /c, cert_file: d/e, key_file: "
        "f}\n");
    const struct config *config = &outcome.config;
    const struct push_config *push = &config->push;
    assert_string_equal(config->textfile, "/etc/a.prom");
    assert_int_equal(config->textfile_interval_ns, 5000000000);
    assert_string_equal(push->url, "http://gw:9091");
    assert_string_equal(push->job, "j");
    assert_int_equal(push->grouping.count, 1);
    assert_string_equal(push->grouping.items[0].name, "a");
    assert_string_equal(push->grouping.items[0].value, "b");
    assert_int_equal(push->interval_ns, 1000000000);
    assert_int_equal(push->timeout_ns, 2000000000);
    assert_true(push->post);
    assert_false(push->delete_on_exit);
    assert_string_equal(push->username, "u");
    assert_string_equal(push->password_file, "/etc/p");
    assert_string_equal(push->ca_file, "/c");
    assert_string_equal(push->cert_file, "/etc/d/e");
    assert_string_equal(push->key_file, "/etc/f");
    release_config(&outcome);
}

static void test_outputs_not_said(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_good(&outcome, "outputs: {push: {grouping: {}, method: put}}");
    const struct push_config *push = &outcome.config.push;
    assert_string_equal(push->url, rules.push.url);
    assert_null(push->ca_file);
    assert_int_equal(push->interval_ns, rules.push.interval_ns);
    assert_true(push->delete_on_exit);
    assert_false(push->post);
    assert_int_equal(push->grouping.count, 0);
    assert_int_equal(outcome.config.push_places[PUSH_GATEWAY][PUSH_URL].line, 0);
    assert_int_equal(outcome.config.push_places[PUSH_GATEWAY][PUSH_GROUPING].column, 28);
    release_config(&outcome);
}

static void test_folders(void **unused)
{
    static const char *const cases[][3] = {{"exporter.yml", ".", "a.prom"},
                                           {"/exporter.yml", "/", "//a.prom"},
                                           {"./x/e.yml", "./x", "./x/a.prom"}};
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reading_outcome outcome;
        read_config(&outcome, cases[i][0], SLICE("outputs: {textfile: {path: a.prom}}"));
        assert_int_equal(outcome.result, 0);
        assert_string_equal(outcome.config.directory, cases[i][1]);
        assert_string_equal(outcome.config.textfile, cases[i][2]);
        release_config(&outcome);
    }
}

/* The test vectors of FNV-1a: of no bytes, and others of two texts that are YAML. */
static void test_hash(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_config(&outcome, "f", SLICE("a"));
    assert_string_equal(outcome.config.hash, "af63dc4c8601ec8c");
    release_config(&outcome);
    read_config(&outcome, "f", SLICE("foobar"));
    assert_string_equal(outcome.config.hash, "85944171f73967e8");
    release_config(&outcome);
    read_config(&outcome, "f", SLICE(""));
    assert_string_equal(outcome.config.hash, "cbf29ce484222325");
    release_config(&outcome);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_may_be_left_out),
        cmocka_unit_test(test_watch),
        cmocka_unit_test(test_modules),
        cmocka_unit_test(test_targets),
        cmocka_unit_test(test_targets_given_twice),
        cmocka_unit_test(test_doubtful_entries_are_warned_of),
        cmocka_unit_test(test_warnings_are_limited),
        cmocka_unit_test(test_dns),
        cmocka_unit_test(test_other_sources),
        cmocka_unit_test(test_references),
        cmocka_unit_test(test_labels),
        cmocka_unit_test(test_shard_and_policy),
        cmocka_unit_test(test_outputs),
        cmocka_unit_test(test_outputs_not_said),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
