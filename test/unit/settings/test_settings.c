/* What a file makes of the flags. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/container.h"
#include "memcached/stats.h"
#include "parsed_options.h"
#include "settings/from_flags.h"
#include "settings/settings.h"

#include <uv.h>

#define SECOND UINT64_C(1000000000)

/* Flags, a file, and what comes of both. */
struct fixture {
    struct outcome flags;
    struct config config;
    struct settings settings;
    struct buffer error;
    int result;
};

static void make(struct fixture *fixture, const char *const *arguments, const char *text)
{
    parse(&fixture->flags, arguments, NO_ENVIRONMENT);
    assert_runs(&fixture->flags);
    struct config_rules rules = settings_rules(&fixture->flags.options);
    buffer_init(&fixture->error, 4096);
    if (config_read(&fixture->config, "/etc/e.yml", slice_of(text), &rules, &fixture->error) != 0)
        fail_msg("%.*s", SLICE_ARG(buffer_slice(&fixture->error)));
    fixture->result =
        settings_make(&fixture->settings, &fixture->flags.options, &fixture->config, &fixture->error);
}

static void drop(struct fixture *fixture)
{
    config_deinit(&fixture->config);
    buffer_deinit(&fixture->error);
    release(&fixture->flags);
}

static void expect_overruled(const struct fixture *fixture, const char *expected)
{
    struct buffer text;
    buffer_init(&text, OPTIONS_TEXT_MAX);
    settings_append_overruled(&fixture->settings, &fixture->flags.options, &text);
    assert_text(&text, expected);
    buffer_deinit(&text);
}

#define WATCHING "watch: {keys: hash, every: 30s}\ncensus: {}\n"

/* Only what goes on running watches, and top only when it is to show keys. */
static void test_watching(void **unused)
{
    struct fixture fixture;
    const struct watch_config *watch = &fixture.settings.watch;
    (void) unused;
    make(&fixture, ARGUMENTS(NULL), WATCHING);
    assert_true(watch->enabled && fixture.settings.census.enabled);
    assert_int_equal(watch->every_ns, 30000000000);
    drop(&fixture);
    make(&fixture, ARGUMENTS("--once"), WATCHING);
    assert_false(watch->enabled || fixture.settings.census.enabled);
    drop(&fixture);
    make(&fixture, ARGUMENTS("top"), WATCHING);
    assert_false(watch->enabled || fixture.settings.census.enabled);
    drop(&fixture);
    make(&fixture, ARGUMENTS("check"), WATCHING);
    assert_false(watch->enabled || fixture.settings.census.enabled);
    drop(&fixture);
    make(&fixture, ARGUMENTS("top", "--keys", "--interval=1s"), WATCHING);
    assert_true(watch->enabled && !fixture.settings.census.enabled);
    assert_int_equal(watch->window_ns, 500000000);
    assert_int_equal(watch->keys, WATCH_KEYS_HASH);
    drop(&fixture);
    make(&fixture, ARGUMENTS("top", "--keys", "--interval=1h"), "{}");
    assert_int_equal(watch->window_ns, WATCH_WINDOW_MAX_NS);
    assert_int_equal(watch->keys, WATCH_KEYS_FULL);
    assert_int_equal(watch->streams, WATCH_BIT(WATCH_FETCHERS));
    drop(&fixture);
}

/* The flags alone are in force as they are. */
static void test_without_a_file(void **unused)
{
    struct outcome flags;
    struct config config;
    struct settings settings;
    struct buffer error;
    (void) unused;
    parse(&flags, ARGUMENTS("--memcached.address=a,b", "--output.textfile=x.prom", "--push.grouping=a=b"),
          NO_ENVIRONMENT);
    buffer_init(&error, 4096);
    assert_int_equal(settings_read(&config, &flags.options, &error), 0);
    assert_null(config.file);
    assert_int_equal(config.target_count, 2);
    assert_int_equal(settings_make(&settings, &flags.options, &config, &error), 0);
    assert_true(options_same(&settings.options, &flags.options, ""));
    config_deinit(&config);
    buffer_deinit(&error);
    release(&flags);
}

/* The policy and its warnings, of flags and a file. */
static void expect_policy(const char *const *arguments, const char *file, const char *allow, const char *deny,
                          const char *const *warnings)
{
    struct outcome flags;
    struct config config;
    struct config_rules rules;
    struct buffer error;
    parse(&flags, arguments, NO_ENVIRONMENT);
    assert_runs(&flags);
    rules = settings_rules(&flags.options);
    buffer_init(&error, 4096);
    assert_int_equal(config_read(&config, "/etc/e.yml", slice_of(file), &rules, &error), 0);
    assert_int_equal(config_add_policy(&config, &flags.options), 0);
    assert_int_equal(config.policy->allow.count, *allow != 0);
    if (*allow) assert_string_equal(config.policy->allow.items[0].text, allow);
    assert_string_equal(config.policy->deny.items[0].text, deny);
    const struct config_warning *warning = config.warnings;
    for (; *warnings; warnings++, warning = warning->next) {
        assert_non_null(warning);
        if (!strstr(warning->text, *warnings)) fail_msg("%s", warning->text);
    }
    assert_null(warning);
    config_deinit(&config);
    buffer_deinit(&error);
    release(&flags);
}

static void test_target_policy(void **unused)
{
    const char *const *flags = ARGUMENTS("--scrape.allow=any", "--scrape.deny=loopbak,127.0.0.0/8");
    (void) unused;
    expect_policy(flags, "groups: []", "any", "loopbak",
                  (const char *const[]){"--scrape.deny: \"loopbak\": is taken for the name of a host",
                                        "--scrape.deny: \"127.0.0.0/8\": denies IPv4 addresses alone", NULL});
    expect_policy(flags, "scrape_policy: {deny: [lan, '::1', 127.0.0.0/8]}", "", "lan",
                  (const char *const[]){"e.yml:1:24: scrape_policy.deny[0]: \"lan\": is taken for", NULL});
    expect_policy(ARGUMENTS("--scrape.deny=loopback"), "groups: []", "", "loopback",
                  (const char *const[]){NULL});
}

/* Without a file, samples have the target label only if there may be several servers. */
static void test_grouping_by_the_target_label(void **unused)
{
    static const struct {
        const char *arguments[ARGS_MAX + 1];
        int result;
    } cases[] = {
        {{"--memcached.address=a"}, 0},
        {{"--memcached.address=a", "--web.target-label=server"}, 0},
        {{"--memcached.address=a,b"}, UV_EINVAL},
        {{"--memcached.address=dns+a"}, UV_EINVAL},
        {{"--memcached.address=a", "--shard=0/2"}, UV_EINVAL},
        {{"--memcached.address=a,b", "--web.target-label=server"}, 0},
    };
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        const char *arguments[ARGS_MAX + 1] = {"--push.url=http://g", "--push.grouping=instance=x",
                                               cases[n].arguments[0], cases[n].arguments[1]};
        struct outcome flags;
        struct config config;
        struct settings settings;
        struct buffer error;
        parse(&flags, arguments, NO_ENVIRONMENT);
        buffer_init(&error, 4096);
        assert_int_equal(settings_read(&config, &flags.options, &error), 0);
        assert_int_equal(settings_make(&settings, &flags.options, &config, &error), cases[n].result);
        config_deinit(&config);
        buffer_deinit(&error);
        release(&flags);
    }
}

static const char everything[] =
    "target_label: server\n"
    "shard: 1/2\n"
    "modules: {default: {timeout: 3s, collectors: [sizes]}}\n"
    "groups: [{name: g, targets: [c]}]\n"
    "outputs:\n"
    "  textfile: {path: f.prom, interval: 2s}\n"
    "  push: {url: 'http://h', job: j, grouping: {a: b, c: d}, interval: 4s, timeout: "
    "5s, method: post, delete_on_exit: true}\n";

static void expect_everything(const struct options *options)
{
    assert_int_equal(options->addresses.count, 0);
    assert_string_equal(options->target_label, "server");
    assert_int_equal(options->shard.index, 1);
    assert_int_equal(options->shard.count, 2);
    assert_int_equal(options->timeout_ns, 3 * SECOND);
    assert_int_equal(options->collectors, COMMAND_BIT(COMMAND_STATS) | COMMAND_BIT(COMMAND_SIZES));
    assert_string_equal(options->textfile, "/etc/f.prom");
    assert_int_equal(options->textfile_interval_ns, 2 * SECOND);
    assert_string_equal(options->push.url, "http://h");
    assert_string_equal(options->push.job, "j");
    assert_int_equal(options->push.grouping.count, 2);
    assert_string_equal(options->push.grouping.items[0].name, "a");
    assert_string_equal(options->push.grouping.items[1].value, "d");
    assert_int_equal(options->push.interval_ns, 4 * SECOND);
    assert_int_equal(options->push.timeout_ns, 5 * SECOND);
    assert_true(options->push.post);
    assert_true(options->push.delete_on_exit);
}

static void test_file_wins(void **unused)
{
    struct fixture fixture;
    (void) unused;
    make(&fixture, ARGUMENTS("--memcached.address=a", "--push.url=http://g", "--push.grouping=x=y"),
         everything);
    assert_int_equal(fixture.result, 0);
    expect_everything(&fixture.settings.options);
    expect_overruled(&fixture, "--memcached.address\n--push.url\n--push.grouping\n");
    drop(&fixture);
}

/* The keys of the push that name files, which must be there. */
static void test_credentials(void **unused)
{
    struct fixture fixture;
    const struct options *options = &fixture.settings.options;
    (void) unused;
    make(&fixture, ARGUMENTS("--push.username=f"),
         "outputs: {push: {url: 'http://h', username: u, password_file: /dev/null, ca_file: /dev/zero, "
         "cert_file: "
         "/dev/full, key_file: /dev/urandom}}");
    assert_int_equal(fixture.result, 0);
    assert_string_equal(options->push.username, "u");
    assert_string_equal(options->push.password_file, "/dev/null");
    assert_string_equal(options->push.ca_file, "/dev/zero");
    assert_string_equal(options->push.cert_file, "/dev/full");
    assert_string_equal(options->push.key_file, "/dev/urandom");
    expect_overruled(&fixture, "--push.username\n");
    drop(&fixture);
}

/* What the file leaves out is as the flags say, key by key. */
static void test_flags_stay(void **unused)
{
    struct fixture fixture;
    const struct options *options = &fixture.settings.options;
    (void) unused;
    make(&fixture,
         ARGUMENTS("--memcached.address=a", "--push.url=http://g", "--push.grouping=x=y", "--shard=1/3",
                   "--push.method=post", "--memcached.timeout=7s"),
         "outputs: {push: {job: j}, textfile: {interval: 9s}}");
    assert_int_equal(fixture.result, 0);
    assert_int_equal(options->addresses.count, 1);
    assert_int_equal(options->shard.count, 3);
    assert_int_equal(options->timeout_ns, 7 * SECOND);
    assert_string_equal(options->push.url, "http://g");
    assert_string_equal(options->push.job, "j");
    assert_int_equal(options->push.grouping.count, 1);
    assert_true(options->push.post);
    assert_string_equal(options->textfile, "");
    assert_int_equal(options->textfile_interval_ns, 9 * SECOND);
    expect_overruled(&fixture, "");
    drop(&fixture);
}

/* What is said to be empty, or off, is said. */
static void test_empty_and_off(void **unused)
{
    struct fixture fixture;
    (void) unused;
    make(&fixture,
         ARGUMENTS("--push.url=http://g", "--push.grouping=x=y", "--push.method=post",
                   "--push.delete-on-exit", "--memcached.address=a"),
         "{groups: [], outputs: {push: {grouping: {}, method: put, delete_on_exit: false}}}");
    assert_int_equal(fixture.result, 0);
    assert_int_equal(fixture.settings.options.push.grouping.count, 0);
    assert_false(fixture.settings.options.push.post);
    assert_false(fixture.settings.options.push.delete_on_exit);
    assert_int_equal(fixture.settings.options.addresses.count, 0);
    expect_overruled(&fixture,
                     "--memcached.address\n--push.grouping\n--push.method\n--push.delete-on-exit\n");
    drop(&fixture);
}

/* --- What cannot be --- */

#define SAMPLES_HAVE "expected only labels that the samples do not already have, but they already have "

static const struct {
    const char *arguments[ARGS_MAX + 1];
    const char *text;
    int result;
    const char *error;
} faults[] = {
    {{"--push.url=nonsense"},
     "{}",
     UV_EINVAL,
     "--push.url: expected a URL of the form http[s]://host[:port][/path]"},
    {{"--push.url=http://g", "--push.grouping==x"},
     "{}",
     UV_EINVAL,
     "--push.grouping: expected a label name of letters, digits and _, not beginning with a digit or __"},
    {{"--push.url=http://g", "--push.tls.ca-file=/nowhere"},
     "{}",
     UV_ENOENT,
     "--push.tls.ca-file: expected a readable file, but cannot read /nowhere: No such file or directory"},
    {{"--push.url=http://g", "--push.tls.ca-file=/nowhere"},
     "outputs:\n  push: {job: j}",
     UV_ENOENT,
     "--push.tls.ca-file: expected a readable file, but cannot read /nowhere: No such file or directory"},
    {{NULL},
     "outputs:\n  push: {url: 'http://g', ca_file: /nowhere}",
     UV_ENOENT,
     "/etc/e.yml:2:36: outputs.push.ca_file: expected a readable file, but cannot read /nowhere: No such "
     "file or "
     "directory"},
    {{NULL},
     "outputs:\n  push: {url: 'http://g', password_file: /dev/null}",
     UV_EINVAL,
     "--push.username: expected a user name and a password file, or neither"},
    {{"--push.tls.ca-file=/dev/null"},
     "outputs:\n  push: {url: 'http://g', username: u}",
     UV_EINVAL,
     "/etc/e.yml:2:37: outputs.push.username: expected a user name and a password file, or neither"},
    {{NULL},
     "outputs:\n  push: {url: 'http://g', grouping: {a: b, instance: x}}",
     UV_EINVAL,
     "/etc/e.yml:2:37: outputs.push.grouping: " SAMPLES_HAVE "instance"},
    {{"--push.grouping=server=x"},
     "{target_label: server, outputs: {push: {url: 'http://g'}}}",
     UV_EINVAL,
     "--push.grouping: " SAMPLES_HAVE "server"},
    {{"--push.grouping=team=x", "--push.url=http://g"},
     "groups: [{name: a, targets: [h]}, {name: b, targets: [i], labels: {team: web}}]",
     UV_EINVAL,
     "--push.grouping: " SAMPLES_HAVE "team"},
    {{"--push.grouping=slab=1", "--push.url=http://g"},
     "{}",
     UV_EINVAL,
     "--push.grouping: " SAMPLES_HAVE "slab"},
    {{"--push.grouping=result=x", "--push.url=http://g"},
     "{}",
     UV_EINVAL,
     "--push.grouping: " SAMPLES_HAVE "result"},
    {{"--push.grouping=goos=x", "--push.url=http://g", "--no-collector.telemetry"},
     "{}",
     UV_EINVAL,
     "--push.grouping: " SAMPLES_HAVE "goos"},
    {{"--no-web", "--config.file=e"}, "{}", UV_EINVAL, "--no-web: expected --once, or an output in the file"},
};

static void test_faults(void **unused)
{
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(faults); n++) {
        struct fixture fixture;
        make(&fixture, faults[n].arguments, faults[n].text);
        assert_text(&fixture.error, faults[n].error);
        assert_int_equal(fixture.result, faults[n].result);
        drop(&fixture);
    }
}

/* Outputs that --once and the command check leave out, whether flags or the file have them. */
static void test_outputs_left_out(void **unused)
{
    static const char text[] =
        "outputs: {textfile: {path: /x.prom}, push: {url: 'http://g', delete_on_exit: true}}";
    struct fixture fixture;
    (void) unused;
    make(&fixture, ARGUMENTS("--once"), text);
    assert_int_equal(fixture.result, 0);
    assert_string_equal(fixture.settings.options.push.url, "http://g");
    assert_string_equal(fixture.settings.options.textfile, "/x.prom");
    assert_false(fixture.settings.options.push.delete_on_exit);
    drop(&fixture);

    make(&fixture, ARGUMENTS("check"), text);
    assert_int_equal(fixture.result, 0);
    assert_string_equal(fixture.settings.options.push.url, "");
    assert_string_equal(fixture.settings.options.textfile, "");
    drop(&fixture);
}

/* Labels of metrics that are switched off are free. */
static void test_grouping_without_own_metrics(void **unused)
{
    struct fixture fixture;
    (void) unused;
    make(&fixture,
         ARGUMENTS("--push.url=http://g", "--push.grouping=result=x", "--web.disable-exporter-metrics"),
         "{}");
    assert_int_equal(fixture.result, 0);
    drop(&fixture);
    make(&fixture,
         ARGUMENTS("--push.url=http://g", "--push.grouping=group=x", "--no-collector.telemetry",
                   "--no-collector.build"),
         "{}");
    assert_int_equal(fixture.result, 0);
    drop(&fixture);
}

/* The file may be what makes it work. */
static void test_file_mends(void **unused)
{
    struct fixture fixture;
    (void) unused;
    make(&fixture, ARGUMENTS("--no-web", "--config.file=e"), "outputs: {textfile: {path: f.prom}}");
    assert_int_equal(fixture.result, 0);
    drop(&fixture);
    make(&fixture, ARGUMENTS("--push.url=nonsense"), "outputs: {push: {url: 'http://g'}}");
    assert_int_equal(fixture.result, 0);
    drop(&fixture);
}

/* --- The same outputs --- */

static void test_same_outputs(void **unused)
{
    static const struct {
        const char *a, *b;
        bool same;
    } cases[] = {
        {"{}", "{target_label: server, shard: 0/2, modules: {default: {timeout: 9s}}}", true},
        {"{}", "outputs: {textfile: {path: f.prom}}", false},
        {"outputs: {textfile: {path: f.prom}}", "outputs: {textfile: {path: f.prom}}", true},
        {"outputs: {textfile: {path: f.prom}}", "outputs: {textfile: {path: f.prom, interval: 1s}}", false},
        {"outputs: {push: {url: 'http://g', grouping: {a: b}}}",
         "outputs: {push: {url: 'http://g', grouping: {a: b}}}", true},
        {"outputs: {push: {url: 'http://g', grouping: {a: b}}}",
         "outputs: {push: {url: 'http://g', grouping: {a: c}}}", false},
        {"outputs: {push: {url: 'http://g'}}", "outputs: {push: {url: 'http://h'}}", false},
    };
    (void) unused;
    for (size_t n = 0; n < ARRAY_LEN(cases); n++) {
        struct fixture a, b;
        make(&a, ARGUMENTS(NULL), cases[n].a);
        make(&b, ARGUMENTS(NULL), cases[n].b);
        if (settings_same_outputs(&a.settings, &b.settings) != cases[n].same)
            fail_msg("%s\n%s", cases[n].a, cases[n].b);
        drop(&a);
        drop(&b);
    }
}

/* --- What the reading of a file has to know --- */

static void test_rules(void **unused)
{
    struct outcome flags;
    (void) unused;
    parse(&flags, ARGUMENTS("--web.target-label=server", "--memcached.timeout=2s", "--collector.sizes"),
          NO_ENVIRONMENT);
    struct config_rules rules = settings_rules(&flags.options);
    assert_int_equal(rules.timeout_ns, 2 * SECOND);
    assert_int_equal(rules.collectors, flags.options.collectors);
    assert_string_equal(rules.target_label, "server");
    assert_true(rules.label_reserved(SLICE("slab")));
    assert_false(rules.label_reserved(SLICE("slabs")));
    assert_null(rules.check_textfile(SLICE("/a/b.prom")));
    assert_non_null(rules.check_textfile(SLICE("/a/.b.prom")));
    assert_non_null(rules.check_textfile(SLICE("")));
    release(&flags);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_watching),
        cmocka_unit_test(test_without_a_file),
        cmocka_unit_test(test_target_policy),
        cmocka_unit_test(test_grouping_by_the_target_label),
        cmocka_unit_test(test_file_wins),
        cmocka_unit_test(test_credentials),
        cmocka_unit_test(test_flags_stay),
        cmocka_unit_test(test_empty_and_off),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_outputs_left_out),
        cmocka_unit_test(test_grouping_without_own_metrics),
        cmocka_unit_test(test_file_mends),
        cmocka_unit_test(test_same_outputs),
        cmocka_unit_test(test_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
