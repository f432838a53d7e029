/* What a wrong file is told: file, line, column, key, what was found and what was expected. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "config_file.h"

#define GROUP(text)  "groups: [{name: a, targets: [], " text "}]"
#define SOURCE(text) "groups: [{name: a, " text "}]"
#define LABEL_NAME   "expected a label name of letters, digits and _, not beginning with a digit or __"
#define REFERENCE    "expected a label name behind the dollar, as in $zone or ${meta_zone}, or another dollar"
#define DURATION     "expected a duration such as 250ms, 1s or 1m30s"
#define TEXT         "expected a text that is not empty"
#define FILES        "expected a file or pattern that ends in .json, .yml or .yaml"
#define URL          "expected a URL of the form http[s]://host[:port][/path]"
#define SOURCES      "expected a mapping, or a list of mappings"

/* The lines lack the file's name. */
static const struct {
    const char *text, *line;
} errors[] = {
    /* The file as a whole. */
    {"", "1:1: nothing: expected a mapping with groups"},
    {"# groups:\n", "1:1: nothing: expected a mapping with groups"},
    {"- a\n", "1:1: a list: expected a mapping with groups"},
    {"groups\n", "1:1: \"groups\": expected a mapping with groups"},
    {"a: [", "2:1: expected YAML: did not find expected node content while parsing a flow node"},
    {"a: 1\na: 1\n", "2:4: a: \"1\": expected each key once"},
    {"a: &b []\n", "1:4: a: a list: expected no anchors, aliases and tags"},

    /* Keys that are none. */
    {"group: []", "1:1: group: unknown key (did you mean groups?)"},
    {"scrape-policy: []", "1:1: scrape-policy: unknown key (did you mean scrape_policy?)"},
    {"zzz: 1", "1:1: zzz: unknown key, expected one of target_label, shard, scrape_policy, watch, census, "
               "outputs, modules, "
               "groups"},
    {"{\"a\\nb\": 1}",
     "1:2: a\\nb: unknown key, expected one of target_label, shard, scrape_policy, watch, census, outputs, "
     "modules, groups"},
    {SOURCE("dns: {name: a, prot: 1}"), "1:35: groups[0].dns.prot: unknown key (did you mean port?)"},
    {"outputs: {push: {urll: a}}", "1:18: outputs.push.urll: unknown key (did you mean url?)"},
    {"outputs: {text: {}}", "1:11: outputs.text: unknown key, expected one of textfile, push, remote_write"},

    /* Top level. */
    {"target_label: [a]", "1:15: target_label: a list: " LABEL_NAME},
    {"target_label: 1a", "1:15: target_label: \"1a\": " LABEL_NAME},
    {"target_label: __a", "1:15: target_label: \"__a\": " LABEL_NAME},
    {"target_label: slab", "1:15: target_label: \"slab\": expected a label name that no metric uses already"},
    {"shard: {}", "1:8: shard: a mapping: expected a shard such as 0/4"},
    {"scrape_policy: []", "1:16: scrape_policy: a list: expected a mapping"},
    {"scrape_policy: {allow: any}", "1:24: scrape_policy.allow: \"any\": expected a list of rules"},
    {"scrape_policy: {deny: [{}]}",
     "1:24: scrape_policy.deny[0]: a mapping: expected a rule such as private, 10.0.0.0/8 or *.example.com"},

    /* Modules. */
    {"modules: [a]", "1:10: modules: a list: expected a mapping of modules by their names"},
    {"modules:", "1:9: modules: nothing: expected a mapping of modules by their names"},
    {"modules: {\"\": {}}", "1:11: modules.: expected a name that is not empty"},
    {"modules: {a: 1}", "1:14: modules.a: \"1\": expected a mapping"},
    {"modules: {a: {timeout: 5}}", "1:24: modules.a.timeout: \"5\": " DURATION},
    {"modules: {a: {timeout: [1s]}}", "1:24: modules.a.timeout: a list: " DURATION},
    {"modules: {a: {timeout: -1s}}", "1:24: modules.a.timeout: \"-1s\": " DURATION},
    {"modules: {a: {timeout: 0s}}", "1:24: modules.a.timeout: \"0s\": expected a duration above 0"},
    {"modules: {a: {collectors: items}}",
     "1:27: modules.a.collectors: \"items\": expected a list of collectors"},
    {"modules: {a: {collectors: [item]}}",
     "1:28: modules.a.collectors[0]: \"item\": expected a collector such as "
     "settings, items or slabs (did you mean items?)"},
    {"modules: {a: {collectors: [reset]}}",
     "1:28: modules.a.collectors[0]: \"reset\": expected a collector such as settings, items or slabs"},
    {"modules: {a: {collectors: [[]]}}",
     "1:28: modules.a.collectors[0]: a list: expected a collector such as settings, items or slabs"},
    {"modules: {a: {tls: x}}", "1:20: modules.a.tls: \"x\": expected a mapping; {} takes the defaults"},
    {"modules: {a: {tls: {cert_file: c}}}", "1:20: modules.a.tls: expected the key key_file"},
    {"modules: {a: {tls: {key_file: c}}}", "1:20: modules.a.tls: expected the key cert_file"},
    {"modules: {a: {auth: {username: u}}}", "1:21: modules.a.auth: expected the key password_file"},
    {"modules: {a: {auth: {password_file: p}}}", "1:21: modules.a.auth: expected the key username"},
    {"modules: {a: {auth: {username: \"a b\", password_file: p}}}",
     "1:32: modules.a.auth.username: \"a b\": expected a user name without blanks"},

    /* Groups. */
    {"groups: {}", "1:9: groups: a mapping: expected a list of groups"},
    {"groups:\n", "1:8: groups: nothing: expected a list of groups"},
    {"groups: [a]", "1:10: groups[0]: \"a\": expected a mapping"},
    {"groups: [{targets: []}]", "1:10: groups[0]: expected the key name"},
    {"groups: [{name: a}]",
     "1:10: groups[0]: expected the key targets, dns, file_sd, http_sd or elasticache"},
    {"groups: [{name: '', targets: []}]", "1:17: groups[0].name: \"\": " TEXT},
    {"groups: [{name: ~, targets: []}]", "1:17: groups[0].name: \"~\": " TEXT},
    {"groups: [{name: [], targets: []}]", "1:17: groups[0].name: a list: " TEXT},
    {"groups:\n- {name: a, targets: []}\n- {name: b, targets: []}\n- {targets: [], name: a}\n",
     "4:23: groups[2].name: \"a\": expected a name that no other group has"},
    {GROUP("module: defalt"),
     "1:41: groups[0].module: \"defalt\": expected the name of a module (did you mean default?)"},
    {GROUP("module: other"), "1:41: groups[0].module: \"other\": expected the name of a module"},
    {GROUP("module: {}"), "1:41: groups[0].module: a mapping: expected the name of a module"},

    /* Labels. */
    {GROUP("labels: [a]"), "1:41: groups[0].labels: a list: expected a mapping of labels to their values"},
    {GROUP("labels: {a: [b]}"), "1:45: groups[0].labels.a: a list: expected a text"},
    {GROUP("labels: {a: }"), "1:45: groups[0].labels.a: nothing: expected a text"},
    {GROUP("labels: {a-b: c}"), "1:42: groups[0].labels.a-b: " LABEL_NAME},
    {GROUP("labels: {__a: c}"), "1:42: groups[0].labels.__a: " LABEL_NAME},
    {GROUP("labels: {\"\": c}"), "1:42: groups[0].labels.: " LABEL_NAME},
    {GROUP("labels: {slab: c}"),
     "1:42: groups[0].labels.slab: expected a label name that no metric uses already"},
    {GROUP("labels: {instance: c}"),
     "1:42: groups[0].labels.instance: expected a label name that differs from the target label"},
    {"groups: [{name: a, targets: [], labels: {x: y}}]\ntarget_label: x\n",
     "1:42: groups[0].labels.x: expected a label name that differs from the target label"},
    {GROUP("labels: {a: \"$\"}"), "1:45: groups[0].labels.a: \"$\": " REFERENCE},
    {GROUP("labels: {a: \"x$-\"}"), "1:45: groups[0].labels.a: \"x$-\": " REFERENCE},
    {GROUP("labels: {a: \"$1\"}"), "1:45: groups[0].labels.a: \"$1\": " REFERENCE},
    {GROUP("labels: {a: \"${b\"}"), "1:45: groups[0].labels.a: \"${b\": " REFERENCE},
    {GROUP("labels: {a: \"${}\"}"), "1:45: groups[0].labels.a: \"${}\": " REFERENCE},
    {GROUP("labels: {a: \"${b c}\"}"), "1:45: groups[0].labels.a: \"${b c}\": " REFERENCE},

    /* Targets. */
    {SOURCE("targets: a:1"), "1:29: groups[0].targets: \"a:1\": expected a list of targets"},
    {SOURCE("targets: [[]]"), "1:30: groups[0].targets[0]: a list: expected a text such as host:port"},
    {SOURCE("targets: [ok, 'a:70000']"),
     "1:34: groups[0].targets[1]: \"a:70000\": expected a port from 1 to 65535"},
    {SOURCE("targets: ['a:0']"), "1:30: groups[0].targets[0]: \"a:0\": expected a port from 1 to 65535"},
    {SOURCE("targets: ['']"),
     "1:30: groups[0].targets[0]: \"\": expected an address such as host:port, [::1]:port or unix:/path"},
    {SOURCE("targets: [http://a]"),
     "1:30: groups[0].targets[0]: \"http://a\": expected host:port without a scheme such as http://"},
    {SOURCE("targets: ['dns+']"),
     "1:30: groups[0].targets[0]: \"dns+\": expected an address such as host:port, "
     "[::1]:port or unix:/path"},
    {SOURCE("targets: ['dns+a:0']"),
     "1:30: groups[0].targets[0]: \"dns+a:0\": expected a port from 1 to 65535"},
    {SOURCE("targets: ['dns+1.2.3.4']"),
     "1:30: groups[0].targets[0]: \"dns+1.2.3.4\": expected a host name behind dns+"},
    {SOURCE("targets: ['dnssrv+a:1']"),
     "1:30: groups[0].targets[0]: \"dnssrv+a:1\": expected a host name without a port"},

    /* Sources. */
    {SOURCE("dns: a"), "1:25: groups[0].dns: \"a\": " SOURCES},
    {SOURCE("dns: [a]"), "1:26: groups[0].dns[0]: \"a\": expected a mapping"},
    {SOURCE("dns: {port: 1}"), "1:25: groups[0].dns: expected the key name"},
    {SOURCE("dns: {name: a}"), "1:25: groups[0].dns: expected the key port"},
    {SOURCE("dns: [{name: a, type: AAAA}]"), "1:26: groups[0].dns[0]: expected the key port"},
    {SOURCE("dns: {name: a, port: 0}"), "1:41: groups[0].dns.port: \"0\": expected a port from 1 to 65535"},
    {SOURCE("dns: {name: a, port: 70000}"),
     "1:41: groups[0].dns.port: \"70000\": expected a port from 1 to 65535"},
    {SOURCE("dns: {name: a, port: x}"), "1:41: groups[0].dns.port: \"x\": expected a port from 1 to 65535"},
    {SOURCE("dns: {name: a, port: {}}"),
     "1:41: groups[0].dns.port: a mapping: expected a port from 1 to 65535"},
    {SOURCE("dns: {name: a, type: SRV, port: 1}"),
     "1:52: groups[0].dns.port: \"1\": expected no port, because SRV records already contain the port"},
    {SOURCE("dns: {name: a, type: MX}"), "1:41: groups[0].dns.type: \"MX\": expected A, AAAA or SRV"},
    {SOURCE("dns: {name: a, type: []}"), "1:41: groups[0].dns.type: a list: expected A, AAAA or SRV"},
    {SOURCE("dns: {name: 'a:1', port: 1}"),
     "1:32: groups[0].dns.name: \"a:1\": expected a host name without a port"},
    {SOURCE("dns: {name: 1.2.3.4, port: 1}"),
     "1:32: groups[0].dns.name: \"1.2.3.4\": expected a host name, not an address"},
    {SOURCE("dns: {name: [], port: 1}"), "1:32: groups[0].dns.name: a list: expected a host name"},
    {SOURCE("dns: {name: a, port: 1, refresh: 500ms}"),
     "1:53: groups[0].dns.refresh: \"500ms\": expected a duration of 1s or more"},
    {SOURCE("dns: {name: a, port: 1, refresh: often}"), "1:53: groups[0].dns.refresh: \"often\": " DURATION},
    {SOURCE("file_sd: {}"), "1:29: groups[0].file_sd: expected the key files"},
    {SOURCE("file_sd: {files: a.yml}"),
     "1:37: groups[0].file_sd.files: \"a.yml\": expected a list with at least one file"},
    {SOURCE("file_sd: {files: []}"),
     "1:37: groups[0].file_sd.files: a list: expected a list with at least one file"},
    {SOURCE("file_sd: {files: [a.txt]}"), "1:38: groups[0].file_sd.files[0]: \"a.txt\": " FILES},
    {SOURCE("file_sd: {files: [{}]}"), "1:38: groups[0].file_sd.files[0]: a mapping: " FILES},
    {SOURCE("file_sd: {files: [.yml]}"), "1:38: groups[0].file_sd.files[0]: \".yml\": " FILES},
    {SOURCE("http_sd: {}"), "1:29: groups[0].http_sd: expected the key url"},
    {SOURCE("http_sd: {url: ftp://a}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: 'http://'}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: 'http:///a'}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: 'http://a b'}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: 'http://\xc3\xa4'}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: [x]}"), "1:35: groups[0].http_sd.url: " URL},
    {SOURCE("http_sd: {url: 'http://u:secret@a'}"),
     "1:35: groups[0].http_sd.url: expected no credentials in the URL"},
    {SOURCE("elasticache: {}"), "1:33: groups[0].elasticache: expected the key endpoint"},
    {SOURCE("elasticache: {endpoint: []}"),
     "1:44: groups[0].elasticache.endpoint: a list: expected an address such as host:port"},
    {SOURCE("elasticache: {endpoint: /a}"),
     "1:44: groups[0].elasticache.endpoint: \"/a\": expected host:port, not a path"},
    {SOURCE("elasticache: {endpoint: 'a:0'}"),
     "1:44: groups[0].elasticache.endpoint: \"a:0\": expected a port from 1 to 65535"},

    /* Watching. */
    {"watch:", "1:7: watch: nothing: expected a mapping"},
    {"watch: {stream: []}", "1:9: watch.stream: unknown key (did you mean streams?)"},
    {"watch: {streams: fetchers}",
     "1:18: watch.streams: \"fetchers\": expected a list of streams such as fetchers and evictions"},
    {"watch: {streams: []}",
     "1:18: watch.streams: a list: expected a list of streams such as fetchers and evictions"},
    {"watch: {streams: [fetcher]}",
     "1:19: watch.streams[0]: \"fetcher\": expected a stream: fetchers, mutations, evictions, deletions or "
     "proxyreqs (did you mean fetchers?)"},
    {"watch: {window: 2m}", "1:17: watch.window: \"2m\": expected a duration from 100ms to 1m"},
    {"watch: {window: 50ms}", "1:17: watch.window: \"50ms\": expected a duration from 100ms to 1m"},
    {"watch: {window: 2s, every: 3s}",
     "1:8: watch: a mapping: expected every to be at least twice as long as window"},
    {"watch: {servers: 0}", "1:18: watch.servers: \"0\": expected a number from 1 to 8"},
    {"watch: {servers: 9}", "1:18: watch.servers: \"9\": expected a number from 1 to 8"},
    {"watch: {bytes_per_second: 1}",
     "1:27: watch.bytes_per_second: \"1\": expected a number of bytes from 4096"},
    {"watch: {keys: all}", "1:15: watch.keys: \"all\": expected none, prefix, hash or full"},
    {"watch: {separator: '::'}",
     "1:20: watch.separator: \"::\": expected one printable character of ASCII, such as \":\""},
    {"watch: {separator: ' '}",
     "1:20: watch.separator: \" \": expected one printable character of ASCII, such as \":\""},
    {"watch: {prefixes: 201}", "1:19: watch.prefixes: \"201\": expected a number from 0 to 200"},
    {"watch: {hot_keys: 0}", "1:19: watch.hot_keys: \"0\": expected a number from 1 to 100"},
    {"watch: {trusted_versions: 1.6.18}",
     "1:27: watch.trusted_versions: \"1.6.18\": expected a list of at most 16 versions"},
    {"watch: {trusted_versions: [1.6]}",
     "1:28: watch.trusted_versions[0]: \"1.6\": expected a version such as 1.6.18"},
    {"{target_label: rank, watch: {}}",
     "1:29: watch: a mapping: expected a target label that the metrics of watching do not use"},
    {"{watch: {}, groups: [{name: a, targets: [], labels: {stream: b}}]}",
     "1:54: groups[0].labels.stream: expected a label name that no metric uses already"},

    {"census: true", "1:9: census: \"true\": expected a mapping"},
    {"census: {every: 30m}", "1:17: census.every: \"30m\": expected a duration of 1h or more"},
    {"census: {time: 11m}", "1:16: census.time: \"11m\": expected a duration from 1s to 10m"},
    {"census: {items: 0}", "1:17: census.items: \"0\": expected a number above 0"},
    {"census: {trusted_versions: [x]}",
     "1:29: census.trusted_versions[0]: \"x\": expected a version such as 1.6.18"},
    {"{target_label: result, census: {}}",
     "1:32: census: a mapping: expected a target label that the metrics of the census do not use"},
    {"{census: {}, groups: [{name: a, targets: [], labels: {result: b}}]}",
     "1:55: groups[0].labels.result: expected a label name that no metric uses already"},

    /* Outputs. */
    {"outputs: []", "1:10: outputs: a list: expected a mapping"},
    {"outputs: {push: 'http://u:secret@a'}", "1:17: outputs.push: a URL: expected a mapping"},
    {"outputs: {textfile: a.prom}", "1:21: outputs.textfile: \"a.prom\": expected a mapping"},
    {"outputs: {textfile: {path: a.txt}}",
     "1:28: outputs.textfile.path: \"a.txt\": expected a file whose name ends in .prom"},
    {"outputs: {textfile: {path: [a]}}", "1:28: outputs.textfile.path: a list: " TEXT},
    {"outputs: {textfile: {interval: 0}}",
     "1:32: outputs.textfile.interval: \"0\": expected a duration above 0"},
    {"outputs: {push: http://a}", "1:17: outputs.push: \"http://a\": expected a mapping"},
    {"outputs: {push: {url: \"http://u:secret@a/\"}}",
     "1:23: outputs.push.url: expected no credentials in the URL"},
    {"outputs: {push: {url: {}}}", "1:23: outputs.push.url: " URL},
    {"outputs: {push: {job: ''}}", "1:23: outputs.push.job: \"\": " TEXT},
    {"outputs: {push: {grouping: a=b}}",
     "1:28: outputs.push.grouping: \"a=b\": expected a mapping of labels to "
     "their values"},
    {"outputs: {push: {grouping: {job: b}}}",
     "1:29: outputs.push.grouping.job: " LABEL_NAME ", other than job"},
    {"outputs: {push: {grouping: {a-b: b}}}",
     "1:29: outputs.push.grouping.a-b: " LABEL_NAME ", other than job"},
    {"outputs: {push: {grouping: {a: {}}}}", "1:32: outputs.push.grouping.a: a mapping: expected a text"},
    {"outputs: {push: {interval: -5s}}", "1:28: outputs.push.interval: \"-5s\": " DURATION},
    {"outputs: {push: {timeout: 0}}", "1:27: outputs.push.timeout: \"0\": expected a duration above 0"},
    {"outputs: {push: {method: get}}", "1:26: outputs.push.method: \"get\": expected put or post"},
    {"outputs: {push: {method: []}}", "1:26: outputs.push.method: a list: expected put or post"},
    {"outputs: {push: {delete_on_exit: yes}}",
     "1:34: outputs.push.delete_on_exit: \"yes\": expected true or false"},
    {"outputs: {push: {delete_on_exit: {}}}",
     "1:34: outputs.push.delete_on_exit: a mapping: expected true or false"},
    {"outputs: {push: {username: []}}", "1:28: outputs.push.username: a list: " TEXT},
    {"outputs: {push: {password_file: }}", "1:33: outputs.push.password_file: nothing: " TEXT},
    {"outputs: {push: {key_file: null}}", "1:28: outputs.push.key_file: \"null\": " TEXT},
};

static void test_errors(void **unused)
{
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
        struct reading_outcome outcome;
        char line[512] = "exporter.yml:";
        strcat(line, errors[i].line);
        read_config(&outcome, "exporter.yml", slice_of(errors[i].text));
        assert_buffer(&outcome.error, line);
        assert_int_equal(outcome.result, -EINVAL);
        release_config(&outcome);
    }
}

/* Those whose words come from elsewhere are at the right place too. */
static void test_rules_of_others(void **unused)
{
    static const char *const cases[][2] = {
        {"shard: 4/4", "f:1:8: shard: \"4/4\": expected "},
        {"shard: 1", "f:1:8: shard: \"1\": expected "},
        {"scrape_policy: {allow: [any, 10.0.0.0/33]}",
         "f:1:30: scrape_policy.allow[1]: \"10.0.0.0/33\": expected "},
    };
    (void) unused;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct reading_outcome outcome;
        read_config(&outcome, "f", slice_of(cases[i][0]));
        assert_memory_equal(outcome.error.data, cases[i][1], strlen(cases[i][1]));
        assert_true(outcome.error.len > strlen(cases[i][1]));
        release_config(&outcome);
    }
}

/* The file's name is text from outside as well. */
static void test_name_of_the_file(void **unused)
{
    struct reading_outcome outcome;
    (void) unused;
    read_config(&outcome, "a\nb", SLICE("x"));
    assert_buffer(&outcome.error, "a\\nb:1:1: \"x\": expected a mapping with groups");
    release_config(&outcome);
}

static void test_too_many_groups(void **unused)
{
    static const char line[] = "f:1:9: groups: a list: expected at most 10000 groups";
    struct reading_outcome outcome;
    struct buffer text;
    (void) unused;
    buffer_init(&text, 1024 * 1024);
    buffer_append_string(&text, "groups: [x");
    for (int i = 0; i < CONFIG_GROUPS_MAX; i++) buffer_append_string(&text, ", x");
    buffer_append_string(&text, "]");
    read_config(&outcome, "f", buffer_slice(&text));
    assert_buffer(&outcome.error, line);
    release_config(&outcome);
    buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_rules_of_others),
        cmocka_unit_test(test_name_of_the_file),
        cmocka_unit_test(test_too_many_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
