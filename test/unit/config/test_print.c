/* What --config.check shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "config_file.h"

static void assert_print(const char *text, const char *expected)
{
    struct reading_outcome outcome;
    struct buffer out;
    buffer_init(&out, 64 * 1024);
    read_good(&outcome, text);
    config_print(&outcome.config, &out);
    assert_false(out.failed);
    assert_buffer(&out, expected);
    buffer_deinit(&out);
    release_config(&outcome);
}

static void test_little(void **unused)
{
    (void) unused;
    assert_print("groups: [{name: \"a\\nb\", targets: [x]}]",
                 "file \"/etc/exporter.yml\": 1 group, 1 target\n"
                 "module \"default\": timeout 1s, collectors stats settings\n"
                 "group \"a\\nb\": 1 target, module \"default\": timeout 1s, collectors stats settings\n"
                 "  target x\n");
}

static void test_watch(void **unused)
{
    (void) unused;
    assert_print("watch: {streams: [fetchers, evictions], every: 30s, keys: full, servers: 1}",
                 "file \"/etc/exporter.yml\": 0 groups, 0 targets\n"
                 "module \"default\": timeout 1s, collectors stats settings\n"
                 "watch: fetchers evictions for 2s every 30s, 1 server at once, keys full\n");
    assert_print("census: {every: 2h}", "file \"/etc/exporter.yml\": 0 groups, 0 targets\n"
                                        "module \"default\": timeout 1s, collectors stats settings\n"
                                        "census: every 7200s, at most 10000000 items in 60s\n");
}

static void test_much(void **unused)
{
    (void) unused;
    assert_print(
        "target_label: server\n"
        "shard: 1/2\n"
        "modules:\n"
        "  brief: {timeout: 250ms, collectors: [slab-summary, slabs, extstore]}\n"
        "  default: {timeout: 1m}\n"
        "groups:\n"
        "  - name: b\n"
        "    module: brief\n"
        "    labels: {zone: '$meta_zone-$rack$$', team: \"we\\\"b\"}\n"
        "    targets: [Cache-1, '/run/a.sock', dns+c]\n"
        "    elasticache: {endpoint: my.cfg:1, refresh: 60s}\n"
        "    http_sd: {url: 'https://a/b'}\n"
        "    file_sd: {files: [a/*.json, b.yml], refresh: 1500ms}\n"
        "    dns: [{name: d, type: SRV}, {name: e, type: AAAA, port: 5}]\n"
        "  - {name: a, targets: []}\n"
        "scrape_policy: {deny: [10.0.0.0/8], allow: [any, 'unix:/run/*']}\n"
        "outputs: {textfile: {path: x.prom}, push: {url: 'http://gw/secret'}}\n",
        "file \"/etc/exporter.yml\": 2 groups, 2 targets\n"
        "module \"default\": timeout 60s, collectors stats settings\n"
        "module \"brief\": timeout 0.25s, collectors stats items (totals only) slabs extstore slab-summary\n"
        "group \"b\": 2 targets, module \"brief\": timeout 0.25s, collectors stats items (totals only) slabs "
        "extstore slab-summary\n"
        "  label zone=\"${meta_zone}-${rack}$$\"\n"
        "  label team=\"we\\\"b\"\n"
        "  target Cache-1\n"
        "  target /run/a.sock\n"
        "  dns A and AAAA c port 11211\n"
        "  dns SRV d\n"
        "  dns AAAA e port 5\n"
        "  file_sd \"a/*.json\" \"b.yml\" every 1.5s\n"
        "  http_sd \"https://a/b\"\n"
        "  elasticache my.cfg:1 every 60s\n"
        "group \"a\": 0 targets, module \"default\": timeout 60s, collectors stats settings\n"
        "scrape policy: allow \"any\"\n"
        "scrape policy: allow \"unix:/run/*\"\n"
        "scrape policy: deny \"10.0.0.0/8\"\n"
        "output: textfile \"/etc/x.prom\"\n"
        "output: push\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_little), cmocka_unit_test(test_watch),
                                       cmocka_unit_test(test_much)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
